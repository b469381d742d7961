"""The Gram circuit's source: an ONNX graph and ezkl's settings, both rebuilt from the shape alone.

Input i is update q_i, shape [1, d], committed in a column of its own (ezkl's polycommit). The public output
is the upper triangle of G = Q Q^T, row by row, as plain dot products. Nothing here comes from the network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnx import TensorProto, checker, helper

from marketplace.errors import FairshareError, Reason
from zk.backend import ezkl
from zk.shape import CircuitShape, Layout, layout_of

# A change below changes the circuit: raise zk.shape.CIRCUIT_VERSION with it.
_OPSET = 17
_IR = 8


def network(shape: CircuitShape) -> bytes:
    """The ONNX graph of `shape`: for each i, row i of the triangle is q_i times (q_i, .., q_(K-1))^T."""
    names = [f"update_{i}" for i in range(shape.slots)]
    nodes = []
    for i, name in enumerate(names):
        others = name
        if i + 1 < shape.slots:
            others = f"from_{i}"
            nodes.append(helper.make_node("Concat", names[i:], [others], axis=0))
        nodes.append(helper.make_node("Einsum", [name, others], [f"row_{i}"], equation="ik,jk->ij"))
    rows = [f"row_{i}" for i in range(shape.slots)]
    nodes.append(helper.make_node("Concat", rows, ["gram"], axis=1))
    graph = helper.make_graph(
        nodes,
        "gram",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, shape.length]) for name in names],
        [helper.make_tensor_value_info("gram", TensorProto.FLOAT, [1, shape.triangle])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def run_arguments(layout: Layout) -> Any:
    """ezkl's parameters. Scale 0 everywhere: the circuit works on the integers themselves.

    Freivalds' argument is off on purpose: ezkl 23.0.5 leaves the output of such an einsum unconstrained
    (docs/proof.md).
    """
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = "polycommit"
    arguments.output_visibility = "public"
    arguments.param_visibility = "fixed"
    arguments.input_scale = 0
    arguments.param_scale = 0
    arguments.disable_freivalds = True
    arguments.ignore_range_check_inputs_outputs = True
    arguments.decomp_base = 256
    arguments.decomp_legs = 2
    arguments.num_inner_cols = layout.columns
    arguments.logrows = layout.logrows
    return arguments


def write_source(shape: CircuitShape, network_path: Path, settings_path: Path, compiled_path: Path) -> None:
    """Writes the ONNX graph, ezkl's settings and the compiled circuit of `shape`.

    The settings are canonical JSON without a time stamp: the same bytes on every machine.
    """
    layout = layout_of(shape)
    network_path.write_bytes(network(shape))
    ezkl.gen_settings(str(network_path), str(settings_path), py_run_args=run_arguments(layout))
    settings: dict[str, Any] = json.loads(settings_path.read_text())
    settings["timestamp"] = 0
    if settings["num_rows"] > layout.usable_rows or settings["einsum_params"]["total_einsum_col_size"] != 0:
        raise FairshareError(
            Reason.INTERNAL,
            f"the circuit of {shape} needs {settings['num_rows']} rows and was given {layout.usable_rows}",
            "report this shape",
        )
    settings_path.write_text(json.dumps(settings, sort_keys=True, separators=(",", ":")))
    ezkl.compile_circuit(str(network_path), str(compiled_path), str(settings_path))
