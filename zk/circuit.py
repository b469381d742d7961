"""The Gram circuit's source: an ONNX graph and ezkl's settings, both rebuilt from the shape alone.

Input i is update q_i, shape [1, d], committed in a column of its own (ezkl's polycommit). The public output
is the upper triangle of G = Q Q^T, row by row, as plain dot products; where the range is proven, each entry is looked
up in a table of int16 as well. Nothing here comes from the network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

from marketplace.errors import FairshareError, Reason
from zk.backend import ezkl
from zk.shape import CircuitShape, Layout, layout_of

# A change below changes the circuit: raise zk.shape.CIRCUIT_VERSION with it.
_OPSET = 17
_IR = 8
_INT16 = np.iinfo(np.int16)


def network(shape: CircuitShape) -> bytes:
    """The ONNX graph of `shape`: for each i, row i of the triangle is q_i times (q_i, .., q_(K-1))^T."""
    names = [f"update_{i}" for i in range(shape.slots)]
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    if shape.range == "proven":
        names, checks, constants = _looked_up(names, shape.length)
        nodes += checks
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
        [
            helper.make_tensor_value_info(f"update_{i}", TensorProto.FLOAT, [1, shape.length])
            for i in range(shape.slots)
        ],
        [helper.make_tensor_value_info("gram", TensorProto.FLOAT, [1, shape.triangle])],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _looked_up(names: list[str], length: int) -> tuple[list[str], list[NodeProto], list[TensorProto]]:
    """The same updates after ezkl has looked each entry up in a table of int16.

    ezkl has no operator that checks a range and nothing else; one of its functions by table does. HardSwish's values
    at scale 0 are ReLU's and come from exact arithmetic, so that every machine makes the same table. They are not
    used: a Gather takes the entries themselves out of (entries, values), so the cells stay the committed ones.
    """
    first = numpy_helper.from_array(np.arange(length, dtype=np.int64), "first")
    nodes: list[NodeProto] = []
    checked = []
    for name in names:
        nodes += [
            helper.make_node("HardSwish", [name], [f"value_{name}"]),
            helper.make_node("Concat", [name, f"value_{name}"], [f"both_{name}"], axis=1),
            helper.make_node("Gather", [f"both_{name}", "first"], [f"checked_{name}"], axis=1),
        ]
        checked.append(f"checked_{name}")
    return checked, nodes, [first]


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
    arguments.lookup_range = (_INT16.min, _INT16.max)  # of the table; not used where the range is disputed
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
    if not _as_meant(settings, shape, layout):
        raise FairshareError(
            Reason.INTERNAL,
            f"ezkl makes another circuit of {shape} than the one that was meant ({settings['num_rows']} rows)",
            "report this shape",
        )
    settings_path.write_text(json.dumps(settings, sort_keys=True, separators=(",", ":")))
    ezkl.compile_circuit(str(network_path), str(compiled_path), str(settings_path))


def _as_meant(settings: dict[str, Any], shape: CircuitShape, layout: Layout) -> bool:
    """No column wraps over, no Freivalds, and a table exactly where there is to be one."""
    tables = [{"HardSwish": {"scale": 1.0}}] if shape.range == "proven" else []
    return bool(
        settings["num_rows"] <= layout.usable_rows
        and settings["einsum_params"]["total_einsum_col_size"] == 0
        and settings["required_lookups"] == tables
        and settings["required_range_checks"] == []
    )
