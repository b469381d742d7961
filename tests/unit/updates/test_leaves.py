"""The leaves' file: what is packed comes back, and nothing but an exact file is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.chunk_tree import MAX_CHUNKS, Leaf
from marketplace.updates.leaves import leaves_bytes, pack_leaves, unpack_all_leaves, unpack_leaves
from zk import curve
from zk.curve import BASE_FIELD, INFINITY, Point

POINTS = [curve.multiply(Point(1, 2), k) for k in range(1, 9)]
leaf = st.builds(
    lambda point, hash: Leaf(point.x, point.y, hash),
    st.sampled_from([*POINTS, INFINITY]),
    st.binary(min_size=32, max_size=32),
)
some = st.lists(leaf, min_size=1, max_size=9).map(tuple)
ONE = Leaf(1, 2, b"h" * 32)


def _refused(data: bytes, chunks: int) -> None:
    with pytest.raises(FairshareError) as refusal:
        unpack_leaves(data, chunks)
    assert refusal.value.reason is Reason.INTEGRITY


@given(some)
def test_leaves_come_back(leaves: tuple[Leaf, ...]) -> None:
    data = pack_leaves(leaves)
    assert len(data) == leaves_bytes(len(leaves))
    assert unpack_leaves(data, len(leaves)) == leaves


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[leaf] * n), max_size=5).map(lambda v: (n, v)))
)
def test_leaves_of_several_vectors_come_back(drawn: tuple[int, list[tuple[Leaf, ...]]]) -> None:
    chunks, vectors = drawn
    data = b"".join(map(pack_leaves, vectors))
    assert unpack_all_leaves(data, chunks, len(vectors)) == vectors
    for other in (data + b"\0", data[1:], data + pack_leaves([ONE] * chunks)):
        if other != data:
            with pytest.raises(FairshareError) as refusal:
                unpack_all_leaves(other, chunks, len(vectors))
            assert refusal.value.reason is Reason.INTEGRITY


def test_the_bytes_are_those_of_the_document() -> None:
    point = POINTS[1]
    expected = b"FSL1" + bytes.fromhex("02000000") + bytes(31) + b"\1" + bytes(31) + b"\2" + b"h" * 32
    expected += point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big") + b"i" * 32
    assert pack_leaves([ONE, Leaf(*point, b"i" * 32)]) == expected


@given(st.binary(max_size=300), st.integers(1, 3))
def test_arbitrary_bytes_are_refused(data: bytes, chunks: int) -> None:
    _refused(data, chunks)


@given(some, st.data())
def test_other_heads_and_sizes_are_refused(leaves: tuple[Leaf, ...], data: st.DataObject) -> None:
    packed, chunks = pack_leaves(leaves), len(leaves)
    at = data.draw(st.integers(0, 7))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != packed[at]))
    for damaged in (packed[:at] + bytes([byte]) + packed[at + 1 :], packed[:-1], packed + b"\0", packed[1:]):
        _refused(damaged, chunks)
    _refused(packed, chunks + 1)
    if chunks > 1:
        _refused(packed, chunks - 1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (1, 3),
        (0, 1),
        (1 + BASE_FIELD, 2),
        (1, 2 + BASE_FIELD),
        (BASE_FIELD, 0),
        (2**256 - 1, 2**256 - 1),
    ],
)
def test_points_off_the_curve_are_refused(x: int, y: int) -> None:
    _refused(pack_leaves([ONE, Leaf(x, y, b"h" * 32)]), 2)


@pytest.mark.parametrize("chunks", [0, -1, MAX_CHUNKS + 1, 2**32])
def test_no_vector_has_so_many_chunks(chunks: int) -> None:
    for act in (lambda: leaves_bytes(chunks), lambda: unpack_leaves(b"", chunks)):
        with pytest.raises(FairshareError) as refused:
            act()
        assert refused.value.reason is Reason.BAD_INPUT
