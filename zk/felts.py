"""ezkl's encoding of field elements: 32 bytes little-endian as hex without a prefix; -v is p - v."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617  # BN254's scalar field
TWO_ADICITY = 28
ROOT_OF_UNITY = pow(7, (FIELD - 1) >> TWO_ADICITY, FIELD)  # halo2curves' bn256::Fr, of order 2^28

_BYTES = 32
_DIGITS16, _MASK16 = 16, (1 << 16) - 1
_FIELD16 = np.frombuffer(FIELD.to_bytes(_BYTES, "little"), dtype="<u2")
_LIMBS = np.frombuffer(FIELD.to_bytes(_BYTES, "little"), dtype="<u8")


def encode(value: int) -> str:
    """The field element of a signed integer, |value| <= FIELD // 2."""
    return (value % FIELD).to_bytes(_BYTES, "little").hex()


def encode_all(values: NDArray[np.signedinteger[Any]]) -> list[str]:
    """`encode` of each of many integers, shape (m,), int8 to int64: about 0.2 us each."""
    limbs = np.zeros((values.size, len(_LIMBS)), dtype="<u8")
    words = values.astype(np.int64).astype(np.uint64)  # modulo 2^64
    limbs[:, 0] = words
    negative = np.flatnonzero(values < 0)
    if negative.size:
        magnitude = -words[negative]
        limbs[negative] = _LIMBS
        limbs[negative, 0] -= magnitude
        limbs[negative, 1] -= (magnitude > _LIMBS[0]).astype(np.uint64)  # borrowed; that limb is not 0
    return _texts(limbs.tobytes())


def encode_limbs(limbs: NDArray[np.int64]) -> list[str]:
    """`encode` of sum_i 2^(16 i) limbs_i, for each column of int64 [count, m]; |sums| <= FIELD // 2."""
    columns = limbs.shape[1]
    digits = np.zeros((_DIGITS16, columns), dtype=np.int64)
    carry = np.zeros(columns, dtype=np.int64)
    for place in range(_DIGITS16):
        carry = carry + limbs[place] if place < len(limbs) else carry
        digits[place] = carry & _MASK16
        carry >>= 16
    negative = carry < 0  # what is in the digits is 2^256 more
    carry = np.zeros(columns, dtype=np.int64)
    for place in range(_DIGITS16):
        carry += digits[place] + np.where(negative, int(_FIELD16[place]), 0)
        digits[place] = carry & _MASK16
        carry >>= 16
    return _texts(digits.T.astype("<u2").tobytes())


def _texts(elements: bytes) -> list[str]:
    return elements.hex(" ", _BYTES).split(" ") if elements else []


def decode(text: str) -> int:
    """The signed integer of a field element; above FIELD // 2 it reads as negative."""
    value = unsigned(text)
    return value if value <= FIELD // 2 else value - FIELD


def unsigned(text: str) -> int:
    """The number itself, as for a point's coordinates, which are in another field."""
    return int.from_bytes(bytes.fromhex(text), "little")
