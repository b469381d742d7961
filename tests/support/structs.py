"""Structs of the contracts with only the fields that matter to a test."""

from __future__ import annotations

import dataclasses
import typing
from enum import IntEnum
from typing import Any

from marketplace.chain.types import AbiStruct
from zk.curve import Point


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
