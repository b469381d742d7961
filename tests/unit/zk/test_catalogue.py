"""The catalogue: sizes, padding that changes nothing, and one setup for projects of about the same size."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.fixed_point import padded
from marketplace.protocol.gram import gram
from zk import catalogue, keys, prover
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.shape import MAX_ELEMENTS, CircuitShape, layout_of

KEYS = "keys"  # the phase that is a setup


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 16), st.integers(1, 33_333))
def test_the_next_size_costs_no_more_to_prove(slots: int, parameters: int) -> None:
    if slots * parameters > MAX_ELEMENTS:
        return
    shape = catalogue.shape_for(slots, parameters)
    assert shape.length >= parameters
    assert layout_of(shape) == layout_of(CircuitShape(slots, parameters))
    assert catalogue.shape_for(slots, shape.length) == shape


@pytest.mark.parametrize("slots", [3, 8, 11, 16])
def test_sizes_cover_all_lengths(slots: int) -> None:
    lengths = [shape.length for shape in catalogue.sizes(slots)]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == MAX_ELEMENTS // slots
    powers = {1 << bits for bits in range(4, 17) if 1 << bits <= lengths[-1]}
    assert powers <= set(lengths)  # the widths of sketches
    for below, length in itertools.pairwise(lengths):
        assert catalogue.shape_for(slots, below + 1).length == length
    assert all(upper <= 1.34 * lower for lower, upper in itertools.pairwise(lengths) if lower > 150)


@pytest.mark.parametrize(
    ("slots", "parameters", "length"), [(8, 650, 742), (10, 650, 753), (11, 650, 737), (16, 1000, 1024)]
)
def test_sizes_stay_what_they_are(slots: int, parameters: int, length: int) -> None:
    """A change here gives new projects other circuits: it comes with another layout, or with another ladder."""
    assert catalogue.shape_for(slots, parameters).length == length


def test_what_no_circuit_holds_is_refused() -> None:
    with pytest.raises(FairshareError) as refused:
        catalogue.shape_for(10, 10_001)
    assert refused.value.reason is Reason.TOO_LARGE


def test_projects_of_about_the_same_size_share_one_setup(tmp_path: Path) -> None:
    phases: list[str] = []
    shapes = [catalogue.shape_for(3, parameters) for parameters in (7, 12, 9)]
    built = [keys.build(shape, tmp_path, on_progress=phases.append) for shape in shapes]
    assert built[0] == built[1] == built[2]
    assert phases.count(KEYS) == 1
    # A member that shares the owner's cache fetches the same files, and makes nothing.
    files = built[0]
    vk, srs = files.vk.read_bytes(), files.srs.read_bytes()
    joined = keys.assemble(files.shape, tmp_path, vk, srs, "test", on_progress=phases.append)
    keys.proving_key(joined, on_progress=phases.append)
    prover.prove(joined, [None] * 3, on_progress=phases.append)
    assert phases.count(KEYS) == 1
    # Elsewhere, it makes the keys once when it joins, and none in a round.
    elsewhere = keys.assemble(files.shape, tmp_path / "other", vk, srs, "test", on_progress=phases.append)
    keys.proving_key(elsewhere, on_progress=phases.append)
    assert phases.count(KEYS) == 2
    for _ in range(2):
        prover.prove(elsewhere, [None] * 3, on_progress=phases.append)
    assert phases.count(KEYS) == 2
    assert [found.shape for found in catalogue.made(tmp_path)] == [files.shape]


def test_padding_changes_no_score(files: CircuitFiles) -> None:
    """Three parameters in a circuit of four: the same Gram matrix, proved; commitments are of the padded vectors."""
    short = [np.array(row, dtype=np.int16) for row in ([1, -2, 3], [-32768, 32767, 5], [7, 0, -9])]
    updates = [padded(row, files.shape.length) for row in short]
    proof = prover.prove(files, updates)
    assert proof.gram == gram(short).triangle
    assert proof.commitments == tuple(Committer(files).commit(update) for update in updates)


def test_a_damaged_circuit_is_not_listed(files: CircuitFiles, tmp_path: Path) -> None:
    assert catalogue.made(tmp_path) == []
    damaged = tmp_path / "circuits" / "0000"
    damaged.mkdir(parents=True)
    (damaged / "circuit.json").write_text("{}")
    assert catalogue.made(tmp_path) == []
