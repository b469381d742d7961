"""What the circuit really ties together, read from the proving key: the public Gram is the committed updates'.

With ezkl's gates (a first row of a dot product: out = sum a b; each further row: out = out before + sum a b) it is
enough that every dot product reads the committed cells, and that its last running sum is the public entry.
"""

from __future__ import annotations

from pathlib import Path

import copy_constraints
import pytest
from onnx import TensorProto, helper

from zk import circuit, keys
from zk.backend import ezkl
from zk.shape import CircuitShape, layout_of


@pytest.mark.parametrize(("slots", "length"), [(3, 1), (3, 4), (5, 16), (5, 15), (10, 20), (16, 8), (10, 64)])
def test_each_public_entry_is_the_dot_product_of_two_committed_columns(
    cache: Path, slots: int, length: int
) -> None:
    shape = CircuitShape(slots, length)
    layout = layout_of(shape)
    files = keys.build(shape, cache)
    key = copy_constraints.read(keys.proving_key(files), files.vk, layout.logrows)

    width = layout.columns
    left, right, out = (slots + part * width for part in range(3))
    constants, instance = slots + 3 * width, key.columns - 1
    rows_each = -(-length // width)
    pairs = [(i, j) for i in range(slots) for j in range(i, slots)]
    first_rows, further_rows = set(), set()
    for entry, (i, j) in enumerate(pairs):
        first = entry * rows_each
        first_rows.add(first)
        further_rows.update(range(first + 1, first + rows_each))
        for t in range(rows_each * width):
            row, lane = first + t // width, t % width
            a, b = key.equal_to((left + lane, row)), key.equal_to((right + lane, row))
            if t < length:
                assert ((i, t) in a and (j, t) in b) or ((j, t) in a and (i, t) in b)
            else:  # padding
                assert (constants, 0) in a
                assert (constants, 0) in b
        assert (instance, entry) in key.equal_to((out, first + rows_each - 1))

    # Two selectors and no other gate run over the dot products: one on their first rows, one on the rest.
    marks = [(index, column) for index, column in enumerate(key.fixed) if column]
    of_row = {
        row: {(index, column[row]) for index, column in marks if row in column}
        for row in range(2**layout.logrows)
    }
    first_marks = {frozenset(of_row[row]) for row in first_rows}
    further_marks = {frozenset(of_row[row]) for row in further_rows}
    assert len(first_marks) == 1
    assert len(further_marks) == (1 if further_rows else 0)
    assert first_marks.isdisjoint(further_marks)
    assert frozenset() not in first_marks | further_marks
    assert all(not of_row[row] for row in of_row if row not in first_rows | further_rows)


def test_no_two_committed_cells_are_tied(cache: Path) -> None:
    """The updates are free: nothing but the Gram matrix depends on them."""
    files = keys.build(CircuitShape(5, 15), cache)
    key = copy_constraints.read(keys.proving_key(files), files.vk, 7)
    for slot in range(5):
        for row in range(15):
            assert {c for c in key.equal_to((slot, row)) if c[0] < 5} == {(slot, row)}


def test_freivalds_argument_would_leave_the_gram_untied(cache: Path, tmp_path: Path) -> None:
    """Why it is off (docs/proof.md): the cells that it checks are not the cells that are published."""
    slots, length, logrows = 3, 4, 7
    names = [f"update_{i}" for i in range(slots)]
    graph = helper.make_graph(
        [
            helper.make_node("Concat", names, ["all"], axis=0),
            helper.make_node("Einsum", ["all", "all"], ["gram"], equation="ik,jk->ij"),
        ],
        "gram",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, length]) for name in names],
        [helper.make_tensor_value_info("gram", TensorProto.FLOAT, [slots, slots])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    network, settings, compiled, vk, pk = (tmp_path / name for name in ("n", "s", "c", "vk", "pk"))
    network.write_bytes(model.SerializeToString())
    arguments = circuit.run_arguments(layout_of(CircuitShape(slots, length)))
    arguments.disable_freivalds = False
    ezkl.gen_settings(str(network), str(settings), py_run_args=arguments)
    ezkl.compile_circuit(str(network), str(compiled), str(settings))
    ezkl.setup(str(compiled), str(vk), str(pk), str(keys.build(CircuitShape(slots, length), cache).srs))

    key = copy_constraints.read(pk, vk, logrows)
    instance = (
        slots + 3
    )  # one column each for the base operations' two inputs and output; Freivalds' columns follow
    for entry in range(slots * slots):
        columns = {column for column, _ in key.equal_to((instance, entry))}
        assert instance in columns
        assert len(columns) > 1
        assert max(columns) == instance
