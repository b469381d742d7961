"""Solidity's camelCase names in Python's snake_case."""

from __future__ import annotations

import re


def snake_case(name: str) -> str:
    """`maxNormSquared` as `max_norm_squared`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name).lower()
