"""range = proven: each committed cell is looked up, and what is no int16 cannot be proved (docs/proof.md).

Provers here are ezkl's own, fed by hand with field elements that `zk.prover.prove` would refuse.
"""

from __future__ import annotations

import json
from pathlib import Path

import copy_constraints
import numpy as np
import pytest

from tests.support.hostile_prover import Document, proofs_of
from zk import circuit, keys, prover
from zk.backend import ezkl
from zk.felts import FIELD, encode
from zk.files import CircuitFiles
from zk.shape import CircuitShape, layout_of

SHAPE = CircuitShape(3, 4, "proven")
HONEST = [[-32768, 32767, 1, 0], [0, 0, 0, 0], [100, -100, 7, -1]]
ROOT = pow(5, (FIELD - 1) // 4, FIELD)  # its square is -1, so (1, ROOT) has the norm 0
OUTSIDE = {
    "just below": {(0, 0): -32769},
    "huge": {(0, 0): 2**200},
    "a negative one written as p - v with v huge": {(0, 0): -(2**130)},
    "half the field": {(1, 1): FIELD // 2},
    "norm zero": {(1, 0): 2**60, (1, 1): 2**60 * ROOT},
    "wrapped to a small norm": {(2, 2): ROOT, (2, 3): 3},
    "two that cancel in the sum": {(0, 3): 2**100, (2, 3): -(2**100)},
}


@pytest.fixture(scope="module")
def proven(cache: Path) -> CircuitFiles:
    return keys.build(SHAPE, cache)


def witness(files: CircuitFiles, folder: Path, entries: dict[tuple[int, int], int]) -> Document:
    """A true witness of the honest updates with other field elements in some places."""
    rows = [
        [encode(entries.get((i, t), value)) for t, value in enumerate(row)] for i, row in enumerate(HONEST)
    ]
    inputs, made = folder / "inputs", folder / "witness"
    inputs.write_text(json.dumps({"input_data": rows}))
    ezkl.gen_witness(
        str(inputs), str(files.compiled), str(made), vk_path=str(files.vk), srs_path=str(files.srs)
    )
    document: Document = json.loads(made.read_text())
    return document


def test_int16_is_proved_to_its_ends(proven: CircuitFiles) -> None:
    rows = [np.array(row, dtype=np.int16) for row in HONEST]
    proof = prover.prove(proven, [rows[0], None, rows[2]])
    assert proof.gram[0] == 32768**2 + 32767**2 + 1
    assert prover.verify(proven, proof.proof, proof.gram)


def test_nothing_outside_has_a_proof(proven: CircuitFiles, tmp_path: Path) -> None:
    """A true Gram matrix all the same, over the field: only the range is wrong."""
    tries = [OUTSIDE["huge"], OUTSIDE["norm zero"]]
    for outcome in proofs_of(proven, [witness(proven, tmp_path, entries) for entries in tries]):
        assert outcome.proof  # ezkl's prover makes one all the same: the verifier is who refuses it
        assert not outcome.holds
        assert not outcome.mocked


@pytest.mark.deep
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_crafted_update_has_a_proof(proven: CircuitFiles, tmp_path: Path, name: str) -> None:
    outcomes = proofs_of(proven, [witness(proven, tmp_path, OUTSIDE[name]), witness(proven, tmp_path, {})])
    assert [outcome.holds for outcome in outcomes] == [False, True]


def test_the_committed_cells_are_the_ones_looked_up(proven: CircuitFiles) -> None:
    """Read from the key: copy constraints tie each committed cell to a cell whose row the lookup's selector marks.

    Everything else, the dot products and the public numbers, is as without the lookup.
    """
    layout, (slots, length) = layout_of(SHAPE), (SHAPE.slots, SHAPE.length)
    assert layout.columns == 1
    key = copy_constraints.read(keys.proving_key(proven), proven.vk, layout.logrows)
    looked_up = [column for column in key.fixed if column and len(column) == slots * length]
    assert len(looked_up) == 1
    rows = set(looked_up[0])
    dots = _dot_rows(key, slots, length)
    assert len(dots) == slots * (slots + 1) // 2 * length
    assert rows.isdisjoint(dots)
    for slot in range(slots):
        for t in range(length):
            assert rows & {row for column, row in key.equal_to((slot, t)) if column == slots}
    pairs = [(i, j) for i in range(slots) for j in range(i, slots)]
    left, right, out, instance = slots, slots + 1, slots + 2, key.columns - 1
    for entry, (i, j) in enumerate(pairs):
        last = {row for column, row in key.equal_to((instance, entry)) if column == out}
        ends = last & dots
        assert len(ends) == 1
        for t, row in enumerate(range(min(ends) - length + 1, min(ends) + 1)):
            assert (i, t) in key.equal_to((left, row))
            assert (j, t) in key.equal_to((right, row))


def test_the_table_holds_int16_and_a_little_more(proven: CircuitFiles) -> None:
    """From -2^15 up without a gap, and below 2^17: far from where sums of squares could wrap over."""
    layout = layout_of(SHAPE)
    size = 2**layout.logrows - 8
    key = copy_constraints.read(keys.proving_key(proven), proven.vk, layout.logrows)
    columns = [
        {row: value for row, value in column.items() if row < size}
        for column in key.fixed
        if len(column) > 2 * size // 3
    ]
    found: set[int] = set()
    for first in range(-32768, -32768 + layout.tables * size, size):
        wanted = [(first + row) % FIELD for row in range(size)]
        scales = [
            column for column in columns if _proportional([column.get(row, 0) for row in range(size)], wanted)
        ]
        assert scales
        found.update(range(first, first + size))
    assert min(found) == -32768
    assert 32767 in found
    assert max(found) < 2**17


def test_ezkls_own_range_check_of_inputs_says_nothing_of_committed_ones(tmp_path: Path, cache: Path) -> None:
    """Why it is not used: ezkl counts its rows, and leaves it out where an input is committed (ops/mod.rs, Input)."""
    shape = CircuitShape(3, 4)
    network, settings, compiled = (tmp_path / name for name in ("network", "settings", "compiled"))
    network.write_bytes(circuit.network(shape))
    arguments = circuit.run_arguments(layout_of(shape))
    arguments.ignore_range_check_inputs_outputs = False
    arguments.decomp_legs, arguments.logrows = 8, 10
    ezkl.gen_settings(str(network), str(settings), py_run_args=arguments)
    ezkl.compile_circuit(str(network), str(compiled), str(settings))
    counted = json.loads(settings.read_text())
    assert counted["required_range_checks"]
    srs, vk, pk = cache / "k10.srs", tmp_path / "vk", tmp_path / "pk"
    ezkl.gen_srs(str(srs), 10)
    ezkl.setup(str(compiled), str(vk), str(pk), str(srs))
    key = copy_constraints.read(pk, vk, 10)
    for slot in range(3):
        for t in range(4):  # one cell for each dot product that the entry is in, twice in its own: no other
            assert len(key.equal_to((slot, t))) == 1 + 4


def _dot_rows(key: copy_constraints.KeyCircuit, slots: int, length: int) -> set[int]:
    """Rows that the dot products' selectors mark, whether halo2 put the two into one column or not."""
    firsts = slots * (slots + 1) // 2
    counts = (firsts, firsts * (length - 1), firsts * length)
    return set().union(*(column for column in key.fixed if len(column) in counts))


def _proportional(values: list[int], wanted: list[int]) -> bool:
    scale = values[0] * pow(wanted[0], -1, FIELD) % FIELD
    return scale != 0 and all(v == scale * w % FIELD for v, w in zip(values, wanted, strict=True))
