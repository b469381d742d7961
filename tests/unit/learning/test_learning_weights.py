"""Arrays from a stranger's safetensors file: exactly what is wanted, or refused."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import weights

WANTED = {"a.weight": (2, 3), "a.bias": (2,)}
SOUND = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.ones(2, dtype=np.float32)}


def refusal(content: bytes) -> str:
    with pytest.raises(FairshareError) as caught:
        weights.read(content, WANTED, "task.backbone")
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith("task.backbone: ")
    return caught.value.message


def by_hand(header: object, data: bytes = bytes(32)) -> bytes:
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data


def test_what_is_written_is_read() -> None:
    content = weights.write(SOUND)
    assert content == weights.write(dict(reversed(SOUND.items())))
    read = weights.read(content, WANTED, "task.backbone")
    assert list(read) == list(WANTED)
    for name, array in SOUND.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"a.weight": SOUND["a.weight"]}, "a.bias is missing"),
        ({**SOUND, "b": np.zeros(1)}, "'b' too many"),
        ({**SOUND, "a.bias": np.zeros(3)}, r"F32 \[3\], not F32 \[2\]"),
        ({**SOUND, "a.weight": SOUND["a.weight"].T}, r"F32 \[3, 2\]"),
        ({**SOUND, "a.bias": np.array([0, np.nan])}, "NaN"),
        ({**SOUND, "a.bias": np.array([0, np.inf])}, "infinity"),
    ],
)
def test_other_arrays_are_refused(arrays: dict[str, np.ndarray], named: str) -> None:
    with pytest.raises(FairshareError, match=named):
        weights.read(weights.write(arrays), WANTED, "task.backbone")


def test_other_types_and_torn_files_are_refused() -> None:
    offsets = {"data_offsets": [0, 8]}
    for stored in ("F64", "I32", "F16", "U8", "OBJECT", "float32"):
        refusal(by_hand({"a.bias": {"dtype": stored, "shape": [2], **offsets}}, bytes(8)))
    sound = weights.write(SOUND)
    refusal(sound + bytes(1 << 20))  # over the size that these arrays can have
    for torn in (b"", sound[:7], sound[:-1], sound + b"x", b"PK\x03\x04" + sound, by_hand([]), by_hand({})):
        refusal(torn)
    overlapping = {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in ("a", "b")}
    refusal(by_hand(overlapping, bytes(8)))
    refusal(by_hand({"a.bias": {"dtype": "F32", "shape": [2**40, 2**40], **offsets}}, bytes(8)))
    refusal(struct.pack("<Q", 2**63) + b"{}")


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_what_they_are_not(content: bytes) -> None:
    refusal(content)


@given(st.integers(0, 1000), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_in_a_number(at: int, flip: int) -> None:
    sound = bytearray(weights.write(SOUND))
    at %= len(sound)
    sound[at] ^= flip
    content = bytes(sound)
    if at < len(content) - 4 * 8:  # of the header, which may still say the same
        with contextlib.suppress(FairshareError):
            assert not _changed(content)
        return
    if all(np.isfinite(np.frombuffer(content[-32:], dtype="<f4"))):
        assert _changed(content) == 1
    else:
        refusal(content)


def _changed(content: bytes) -> int:
    """Numbers of `content` that are not as they were."""
    read = weights.read(content, WANTED, "task.backbone")
    return sum(int((read[name] != SOUND[name]).sum()) for name in SOUND)
