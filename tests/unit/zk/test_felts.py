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
