"""ezkl's encoding of field elements: 32 bytes little-endian as hex without a prefix; -v is p - v."""

from __future__ import annotations

FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617  # BN254's scalar field

_BYTES = 32


def encode(value: int) -> str:
    """The field element of a signed integer, |value| <= FIELD // 2."""
    return (value % FIELD).to_bytes(_BYTES, "little").hex()


def decode(text: str) -> int:
    """The signed integer of a field element; above FIELD // 2 it reads as negative."""
    value = unsigned(text)
    return value if value <= FIELD // 2 else value - FIELD


def unsigned(text: str) -> int:
    """The number itself, as for a point's coordinates, which are in another field."""
    return int.from_bytes(bytes.fromhex(text), "little")
