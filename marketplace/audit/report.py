"""What an audit says: a list of named checks, each holding, failing, or not possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError

from marketplace.errors import FairshareError, Reason

# What keeps a check from being made, as against what makes it fail.
UNCHECKABLE = frozenset(
    {
        Reason.CHAIN_UNREACHABLE,
        Reason.STORAGE_UNREACHABLE,
        Reason.STORAGE_FULL,
        Reason.UNAVAILABLE,
        Reason.NOT_FOUND,
        Reason.TOOL_MISSING,
        Reason.INTERNAL,
    }
)

# What decoding libraries raise for bytes that are not what they should be. An endpoint may serve anything.
MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RecursionError,
    DecodingError,
)


@dataclass(frozen=True)
class Check:
    """One check. `ok` None: it could not be made; `detail` is one line: what was found, or why not."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class AuditReport:
    """All checks in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check was made and holds."""
        return all(check.ok is True for check in self.checks)

    @property
    def first_failure(self) -> Check | None:
        """The first check that does not hold; where none fails, the first that could not be made."""
        failed = [check for check in self.checks if check.ok is False]
        open_ = [check for check in self.checks if check.ok is None]
        return next(iter(failed + open_), None)

    @property
    def exit_status(self) -> int:
        """0: all holds; 1: something does not; 2: something could not be checked."""
        first = self.first_failure
        if first is None:
            return 0
        return 1 if first.ok is False else 2

    def to_dict(self) -> dict[str, Any]:
        """`{"ok": .., "checks": [{"name": .., "ok": true, false or null, "detail": ..}]}`."""
        return {
            "ok": self.ok,
            "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in self.checks],
        }


def failed(message: str) -> FairshareError:
    """What a check raises where something does not hold."""
    return FairshareError(Reason.AUDIT_FAILED, message)


def unchecked(message: str) -> FairshareError:
    """What a check raises where it cannot be made."""
    return FairshareError(Reason.UNAVAILABLE, message)


def run_check(name: str, check: Callable[[], str]) -> Check:
    """Makes a check: it returns a line on what it found, or raises."""
    try:
        return Check(name, True, check())
    except FairshareError as error:
        return Check(name, None if error.reason in UNCHECKABLE else False, error.message)
    except MALFORMED as error:
        return Check(name, False, f"what was served cannot be read: {type(error).__name__}: {error}"[:300])
