"""The smallest circuit's key commits as each circuit's own does: they all keep as many rows to themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.circuits import circuit_cache
from zk import batch, felts, keys
from zk.backend import ezkl
from zk.commit import commit_scalars, rows_of
from zk.commit_key import commit_key
from zk.curve import Point
from zk.shape import CircuitShape

SHAPES = (CircuitShape(3, 4), CircuitShape(3, 4, "proven"), CircuitShape(9, 650), CircuitShape(16, 1024))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_column_is_committed_to_as_by_the_circuits_own_key(shape: CircuitShape) -> None:
    files = keys.build(shape, circuit_cache())
    numbers = np.random.default_rng(3).integers(-(2**40), 2**40, rows_of(files))
    for count in (1, 7, rows_of(files)):
        scalars = felts.encode_all(numbers[:count])
        own = ezkl.kzg_commit(scalars, str(files.vk), str(files.settings), str(files.srs))[0]
        assert commit_scalars(files, scalars) == Point(felts.unsigned(own.x), felts.unsigned(own.y))


def test_it_is_made_once_beside_the_circuit() -> None:
    files = keys.build(SHAPES[0], circuit_cache())
    key = commit_key(files.cache)
    assert key.cache == files.cache == circuit_cache()
    assert key is commit_key(files.cache)


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 130])
def test_few_and_many_points_are_combined_alike(count: int) -> None:
    """Tables up to 100 points, buckets beyond: against one multiplication each."""
    generator = np.random.default_rng(count)
    scalars = [int.from_bytes(generator.bytes(16), "big") for _ in range(count)]
    scalars[-1] = 0
    points = batch.scaled([(1, 2)] * count, [int.from_bytes(generator.bytes(31), "big") for _ in scalars])
    points[0] = None
    total: batch.Affine = None
    for one in batch.scaled(points, scalars):
        (total,) = batch.sums([total], [one])
    assert batch.combination(points, scalars, 128) == total
