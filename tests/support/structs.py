"""Structs of the contracts with only the fields that matter to a test."""

from __future__ import annotations

import dataclasses
import typing
from enum import IntEnum
from typing import Any

from marketplace.chain.types import AbiStruct, Arrivals, RoundResult
from zk.curve import Point

A_RESULT = RoundResult(  # of no round that could be: all its fields and lengths are there
    round=1,
    cohort=0,
    merged=3,
    median_score_slot=1,
    median_norm_slot=0,
    model=bytes(range(32)),
    before=bytes(range(32, 64)),
    neighbours=(2, 1, 0, 0, 0),
    gram=(7, 8, 2**255),
    arrivals=Arrivals(b"\x01\xff", (b"d" * 32,), (b"e" * 32, b"f" * 32), (b"s" * 65, b"")),
    proof=b"proof",
)


def blank(struct: type[AbiStruct], /, **fields: Any) -> Any:
    """A struct of zeros, but for `fields`."""
    hints = typing.get_type_hints(struct)
    zeros = {field.name: _zero(hints[field.name]) for field in dataclasses.fields(struct)}  # type: ignore[arg-type]
    return struct(**(zeros | fields))


def _zero(kind: Any) -> Any:
    if kind is Point:
        return Point(0, 0)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind(0)
    return {int: 0, bool: False, bytes: bytes(32)}.get(kind, "0x" + 40 * "0")
