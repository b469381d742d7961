"""The packed array: what is packed comes back, and nothing but an exact packed array is read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.updates.codec import (
    MAX_LENGTH,
    pack_model,
    pack_update,
    packed_model_bytes,
    packed_update_bytes,
    unpack_model,
    unpack_update,
)

int16s = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=40)
int32s = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=40)


@given(int16s)
def test_an_update_comes_back(values):
    data = pack_update(np.array(values, dtype=np.int16))
    assert len(data) == packed_update_bytes(len(values))
    update = unpack_update(data, len(values))
    assert update.dtype == np.int16
    assert update.tolist() == values
    update[0] = 0  # a copy of its own, so it can be written to


@given(int32s)
def test_a_model_comes_back(values):
    data = pack_model(np.array(values, dtype=np.int32))
    assert len(data) == packed_model_bytes(len(values))
    assert unpack_model(data, len(values)).tolist() == values


def test_the_bytes_are_those_of_the_document():
    update = np.array([1, -2, 300], dtype=np.int16)
    assert pack_update(update) == b"FSA1" + bytes.fromhex("01000000 03000000 0100 feff 2c01")
    assert pack_model(np.array([-2], dtype=np.int32)) == b"FSA1" + bytes.fromhex("02000000 01000000 feffffff")
    assert pack_update(update.astype(">i2").astype(np.int16)) == pack_update(update)


@given(st.binary(max_size=64), st.integers(1, 20))
def test_arbitrary_bytes_are_refused(data, length):
    for unpack in (unpack_update, unpack_model):
        with pytest.raises(FairshareError) as refusal:
            unpack(data, length)
        assert refusal.value.reason is Reason.INTEGRITY


@given(int16s, st.data())
def test_any_other_header_or_size_is_refused(values, data):
    packed = pack_update(np.array(values, dtype=np.int16))
    at = data.draw(st.integers(0, 11))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != packed[at]))
    changed = packed[:at] + bytes([byte]) + packed[at + 1 :]
    for damaged in (changed, packed[:-1], packed + b"\0", packed[1:]):
        with pytest.raises(FairshareError) as refusal:
            unpack_update(damaged, len(values))
        assert refusal.value.reason is Reason.INTEGRITY


def test_an_update_is_not_a_model():
    data = pack_update(np.zeros(4, dtype=np.int16))
    with pytest.raises(FairshareError, match="kind 1, not 2"):
        unpack_model(data, 2)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3, dtype=np.int32),
        np.zeros(3, dtype=np.float64),
        np.zeros(3, dtype=np.uint16),
        np.zeros((3, 1), dtype=np.int16),
        np.zeros((), dtype=np.int16),
        [1, 2, 3],
    ],
)
def test_other_arrays_are_not_packed(values):
    with pytest.raises(FairshareError) as refusal:
        pack_update(values)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_lengths_are_bounded():
    for size in (0, MAX_LENGTH + 1):
        with pytest.raises(FairshareError) as refusal:
            pack_update(np.zeros(size, dtype=np.int16))
        assert refusal.value.reason is Reason.TOO_LARGE
        with pytest.raises(FairshareError) as refusal:
            unpack_update(b"", size)
        assert refusal.value.reason is Reason.TOO_LARGE
