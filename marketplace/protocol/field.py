"""BN254's scalar field as signed integers (docs/protocol.md, "Numbers")."""

from __future__ import annotations

FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def to_felt(value: int) -> int:
    """The field element of a signed integer; raises ValueError beyond half the field."""
    if abs(value) > FIELD_MODULUS // 2:
        raise ValueError(f"{value} does not fit the field")
    return value % FIELD_MODULUS


def from_felt(felt: int) -> int:
    """The signed integer of a field element; raises ValueError for a number outside the field."""
    if not 0 <= felt < FIELD_MODULUS:
        raise ValueError(f"{felt} is not a field element")
    return felt if felt <= FIELD_MODULUS // 2 else felt - FIELD_MODULUS
