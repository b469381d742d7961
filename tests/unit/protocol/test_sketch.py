"""Sketches: docs/sketch.md number by number, linear, and as true to inner products as independent buckets are."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.sketch import Sketcher, sketch_seed

SEED = bytes(range(32))
seeds = st.integers(0, 2**32 - 1).map(lambda number: keccak(number.to_bytes(4, "big")))


def _reference(seed: bytes, width: int, values: list[int], first_block: int = 0) -> list[int]:
    """As the document says it, one number at a time."""
    kinds = ["bytes32", "uint256", "uint256"]
    sketch = [0] * width
    for at, value in enumerate(values):
        block, p = first_block + at // width, at % width
        shift = int.from_bytes(keccak(encode(kinds, [seed, block, 2**256 - 1])), "big") % width
        signs = int.from_bytes(keccak(encode(kinds, [seed, block, p // 256])), "big")
        sketch[(p + shift) % width] += value if signs >> p % 256 & 1 else -value
    return sketch


def _vectors(width: int, blocks: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    """int16 or int32: a few numbers over and over, the ends of the range among them."""

    def made(kind: type[np.signedinteger], drawn: list[int], count: int) -> np.ndarray:
        limits = np.iinfo(kind)
        return np.resize(np.array([limits.min, limits.max, *drawn], dtype=kind), width * count)

    numbers = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=5)
    return st.builds(made, st.sampled_from([np.int16, np.int32]), numbers, blocks)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([256, 512]), st.integers(0, 2**20), st.data())
def test_every_number_goes_where_the_document_says(
    seed: bytes, width: int, first_block: int, data: st.DataObject
) -> None:
    vector = data.draw(_vectors(width, st.integers(1, 3)))
    sketch = Sketcher(seed, width).sketch(vector, first_block)
    assert sketch.dtype == np.int64
    assert sketch.tolist() == _reference(seed, width, vector.tolist(), first_block)


def test_more_blocks_than_are_worked_on_at_once() -> None:
    vector = np.random.default_rng(1).integers(-(2**15), 2**15, 140 * 256).astype(np.int16)
    assert Sketcher(SEED, 256).sketch(vector).tolist() == _reference(SEED, 256, vector.tolist())


@settings(max_examples=30, deadline=None)
@given(seeds, st.data())
def test_sketches_are_linear(seed: bytes, data: st.DataObject) -> None:
    blocks = data.draw(st.integers(1, 5))
    a, b = (data.draw(_vectors(256, st.just(blocks))).astype(np.int64) for _ in range(2))
    sketcher, factor = Sketcher(seed, 256), data.draw(st.integers(-1000, 1000))
    together = sketcher.sketch(a + factor * b)
    assert (together == sketcher.sketch(a) + factor * sketcher.sketch(b)).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 5), st.data())
def test_sketches_of_chunks_add_up(seed: bytes, per_chunk: int, chunks: int, data: st.DataObject) -> None:
    vector = data.draw(_vectors(256, st.just(per_chunk * chunks)))
    sketcher = Sketcher(seed, 256)
    total = sum(
        sketcher.sketch(chunk, first_block=j * per_chunk)
        for j, chunk in enumerate(vector.reshape(chunks, per_chunk * 256))
    )
    assert (total == sketcher.sketch(vector)).all()
    assert (total == Sketcher(seed, 256).sketch(vector)).all()  # whether it has drawn before or not


def test_byte_order_and_width_of_the_numbers_do_not_matter() -> None:
    vector = np.resize(np.array([-(2**15), 2**15 - 1, 5], dtype=np.int16), 1024)
    expected = Sketcher(SEED, 512).sketch(vector)
    for kind in ("i4", "i8", ">i2", ">i4", ">i8"):
        assert (Sketcher(SEED, 512).sketch(vector.astype(kind)) == expected).all()


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_the_ends_of_the_range_do_not_wrap(kind: type[np.signedinteger]) -> None:
    lowest = int(np.iinfo(kind).min)
    sketch = Sketcher(SEED, 256).sketch(np.full(256, lowest, dtype=kind))
    assert set(sketch.tolist()) == {lowest, -lowest}


def test_other_seeds_give_other_sketches() -> None:
    vector = np.arange(1, 1025, dtype=np.int32)
    sketches = {tuple(Sketcher(bytes([k]) * 32, 256).sketch(vector).tolist()) for k in range(5)}
    assert len(sketches) == 5


def _kinds_of_vectors(length: int) -> dict[str, Callable[[np.random.Generator], np.ndarray]]:
    """Vectors that independent signs and buckets would not tell apart."""

    def sparse(rng: np.random.Generator) -> np.ndarray:
        vector = np.zeros(length)
        vector[rng.choice(length, 50, replace=False)] = rng.normal(0, 3000, 50)
        return vector

    def one_block(rng: np.random.Generator) -> np.ndarray:
        vector = np.zeros(length)
        vector[5 * 1024 : 6 * 1024] = rng.normal(0, 3000, 1024)
        return vector

    def heavy(rng: np.random.Generator) -> np.ndarray:
        return np.clip(rng.standard_t(2, length) * 300, -32768, 32767)

    return {
        "random": lambda rng: rng.normal(0, 1000, length),
        "sparse": sparse,
        "one block": one_block,
        "period k": lambda rng: np.tile(rng.normal(0, 1000, 1024), length // 1024),
        "period 256": lambda rng: np.tile(rng.normal(0, 1000, 256), length // 256),
        "period 7": lambda rng: np.resize(rng.normal(0, 1000, 7), length),
        "constant": lambda rng: np.full(length, rng.integers(100, 30000)),
        "heavy": heavy,
    }


def _variance(a: np.ndarray, b: np.ndarray, block: int) -> float:
    """Of k <s, s'>: sum of a_i^2 b_j^2 + a_i b_i a_j b_j over all i, j that may meet, those of different blocks.

    With `block` 1 it is the paper's, of independent buckets.
    """
    squares, others, products = ((v.reshape(-1, block)).sum(axis=1) for v in (a * a, b * b, a * b))
    both = squares.sum() * others.sum() - squares @ others
    return float(both + products.sum() ** 2 - products @ products)


_LENGTH, _WIDTH, _SEEDS = 20 * 1024, 1024, 250


@cache
def _sketchers() -> list[Sketcher]:
    return [Sketcher(sketch_seed(SEED, 1, number), _WIDTH) for number in range(_SEEDS)]


@cache
def _independent() -> list[tuple[np.ndarray, np.ndarray]]:
    """The count-sketches of the paper: a bucket and a sign for each number by itself."""
    rng = np.random.default_rng(7)
    return [
        (rng.integers(0, _WIDTH, _LENGTH, np.int16), 2 * rng.integers(0, 2, _LENGTH, np.int8) - 1)
        for _ in range(_SEEDS)
    ]


@pytest.mark.parametrize("kind", sorted(_kinds_of_vectors(_LENGTH)))
def test_inner_products_are_kept_as_well_as_by_independent_buckets(kind: str) -> None:
    """The error over |a| |b|: no bias, and no more deviation than the paper's count-sketch has, sqrt(2 / k) at most."""
    rng = np.random.default_rng(11)
    make = _kinds_of_vectors(_LENGTH)[kind]
    a = make(rng).round().astype(np.int16)
    b = (0.5 * a + make(rng)).round().clip(-32768, 32767).astype(np.int16)
    wide = [vector.astype(np.float64) for vector in (a, b)]
    norms = float(np.linalg.norm(wide[0]) * np.linalg.norm(wide[1]))
    ours, theirs = [], []
    for sketcher, (buckets, signs) in zip(_sketchers(), _independent(), strict=True):
        s, t = (sketcher.sketch(vector).astype(np.float64) for vector in (a, b))
        u, v = (np.bincount(buckets, vector * signs, minlength=_WIDTH) for vector in wide)
        ours.append((s @ t - wide[0] @ wide[1]) / norms)
        theirs.append((u @ v - wide[0] @ wide[1]) / norms)
    due, independent = (float(np.sqrt(_variance(*wide, block) / _WIDTH)) / norms for block in (_WIDTH, 1))
    assert due <= independent <= np.sqrt(2 / _WIDTH)
    for errors, deviation in ((ours, due), (theirs, independent)):
        assert abs(np.mean(errors)) <= 4 * deviation / np.sqrt(_SEEDS)
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(deviation, rel=0.25)


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(255, dtype=np.int16),
        np.zeros(0, dtype=np.int16),
        np.zeros((1, 256), dtype=np.int16),
        np.zeros(256),
        np.zeros(256, dtype=np.uint16),
        np.full(256, -(2**63), dtype=np.int64),
        np.full(512, 2**62, dtype=np.int64),
    ],
)
def test_other_vectors_are_refused(vector: np.ndarray) -> None:
    with pytest.raises(FairshareError) as refused:
        Sketcher(SEED, 256).sketch(vector)
    assert refused.value.reason is Reason.BAD_INPUT


def test_sums_up_to_the_ends_of_int64_are_exact() -> None:
    vector = np.full(512, 2**62 - 1, dtype=np.int64)
    assert Sketcher(SEED, 256).sketch(vector).tolist() == _reference(SEED, 256, vector.tolist())


@pytest.mark.parametrize(
    ("seed", "width"), [(bytes(31), 256), (bytes(33), 256), (SEED, 128), (SEED, 384), (SEED, 0)]
)
def test_other_seeds_and_widths_are_refused(seed: bytes, width: int) -> None:
    with pytest.raises(FairshareError) as refused:
        Sketcher(seed, width)
    assert refused.value.reason is Reason.BAD_INPUT


@given(seeds, st.integers(0, 2**256 - 1), st.integers(0, 2**16 - 1))
def test_the_seed_is_the_contracts(block_hash: bytes, project: int, number: int) -> None:
    packed = encode(["bytes32", "uint256", "uint256"], [block_hash, project, number])
    assert sketch_seed(block_hash, project, number) == keccak(packed)
