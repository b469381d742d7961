"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"  # something optional, or something that may matter later
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One check. `advice`: what to do, empty when all is well."""

    name: str
    state: State
    detail: str
    advice: str = ""
