"""Values of the contracts' types, to start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from marketplace.chain.types import address

ACCOUNT = address("0x" + "34" * 20)


def encoded(kinds: Sequence[str]) -> bytes:
    """A value of each kind, as a contract returns them."""
    return encode(kinds, [value_of(kind) for kind in kinds])


def value_of(kind: str) -> Any:
    """A value of an ABI type, tuples spelled out: numbers are 1, lists have one entry."""
    if kind.endswith("[]"):
        return [value_of(kind[:-2])]
    if kind.endswith("]"):
        base, _, count = kind[:-1].rpartition("[")
        return [value_of(base)] * int(count)
    if kind.startswith("("):
        return tuple(value_of(field) for field in _fields(kind))
    if kind == "address":
        return ACCOUNT
    if kind == "bool":
        return True
    if kind == "string":
        return "text"
    if kind.startswith("bytes"):
        return b"b" * int(kind[5:] or 3)
    return 1


def _fields(kind: str) -> list[str]:
    """Of a tuple, itself of tuples perhaps."""
    depth, fields, start = 0, [], 1
    for at, character in enumerate(kind):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            fields.append(kind[start:at])
            start = at + 1
    return fields
