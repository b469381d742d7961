"""Amounts of a token: unsigned 96-bit integers of its smallest unit, written as decimal strings."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

MAX_AMOUNT = 2**96 - 1
NATIVE_UNITS = {"wei": 0, "gwei": 9, "eth": 18}

_AMOUNT = re.compile(r"([0-9]{1,39})(?:\.([0-9]{1,18}))?(?: ?(wei|gwei|eth))?", re.ASCII)


def parse_amount(text: str) -> int:
    """The smallest units in "250", "0.5 eth" or "20 gwei"; raises ValueError for anything else."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError('write a number of the token\'s smallest unit, or a native amount such as "0.5 eth"')
    whole, fraction, unit = match[1], match[2] or "", match[3]
    decimals: int = NATIVE_UNITS[unit] if unit else 0
    if len(fraction) > decimals:
        raise ValueError("the amount has more decimals than its unit")
    amount: int = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or "0")
    if amount > MAX_AMOUNT:
        raise ValueError("the amount does not fit 96 bits")
    return amount


def has_unit(value: object) -> bool:
    """Whether an amount is written with a unit, which only the native coin has."""
    return isinstance(value, str) and value.endswith(tuple(NATIVE_UNITS))


def _read(value: object) -> object:
    if isinstance(value, str):
        return parse_amount(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("write the amount as a string of digits")


Amount = Annotated[int, BeforeValidator(_read), Field(ge=0, le=MAX_AMOUNT), PlainSerializer(str)]
