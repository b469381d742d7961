"""Encodings of many field elements at once: those of each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zk import felts

int64s = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20)
_BORROWS = 0x43E1F593F0000001  # the field's lowest 64 bits


@given(int64s)
@example([0, 1, -1, -(2**63), 2**63 - 1])
@example([-_BORROWS - 1, -_BORROWS, -_BORROWS + 1])
def test_many_are_encoded_as_each_is(values: list[int]) -> None:
    encoded = felts.encode_all(np.array(values, dtype=np.int64))
    assert encoded == [felts.encode(value) for value in values]
    assert [felts.decode(text) for text in encoded] == values


@pytest.mark.parametrize("kind", ["i1", "<i2", ">i2", "<i4", ">i4", ">i8"])
def test_every_integer_type_is_encoded(kind: str) -> None:
    limits = np.iinfo(kind)
    values = [limits.min, -1, 0, 1, limits.max]
    assert felts.encode_all(np.array(values, dtype=kind)) == [felts.encode(value) for value in values]


columns = st.lists(st.integers(-(2**62), 2**62 - 1), min_size=8, max_size=8)


@given(st.lists(columns, min_size=1, max_size=6))
@example([[0] * 8, [-1, *[0] * 7], [0] * 7 + [-1], [2**62 - 1] * 8, [-(2**62)] * 8, [-(2**16), 1, *[0] * 6]])
def test_sums_of_limbs_are_encoded_as_the_sums_are(limbs: list[list[int]]) -> None:
    sums = [sum(limb << 16 * place for place, limb in enumerate(column)) for column in limbs]
    encoded = felts.encode_limbs(np.array(limbs, dtype=np.int64).T)
    assert encoded == [felts.encode(value) for value in sums]
