"""The one base error: a stable reason code, a message that says what happened, and what to do next."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes: the CLI's exit status, the API's problem+json `code` and the docs use them."""

    BAD_INPUT = "bad-input"  # arguments, files or data that the user gave
    BAD_SPEC = "bad-spec"
    BAD_DATA = "bad-data"
    TOO_LARGE = "too-large"  # beyond the exact path or a size limit
    WRONG_PASSWORD = "wrong-password"
    NO_FUNDS = "no-funds"
    NOT_FOUND = "not-found"
    DEADLINE_PASSED = "deadline-passed"
    REFUSED = "refused"  # the contract or the state of the project does not allow it
    WRONG_CHAIN = "wrong-chain"
    NO_CONTRACT = "no-contract"
    CHAIN_UNREACHABLE = "chain-unreachable"
    STORAGE_UNREACHABLE = "storage-unreachable"
    UNAVAILABLE = "unavailable"  # a blob that nobody serves
    INTEGRITY = "integrity"  # bytes that do not match their hash, commitment or proof
    AUDIT_FAILED = "audit-failed"
    TOOL_MISSING = "tool-missing"  # compiler, chain binary, library
    OVER_BUDGET = "over-budget"  # beyond what the user lets a project cost
    STORAGE_FULL = "storage-full"  # the disk, or what the user lets the storage repo have
    INTERNAL = "internal"


EXIT_STATUS: dict[Reason, int] = {
    Reason.AUDIT_FAILED: 1,
    Reason.INTERNAL: 70,
    **{
        reason: 10 + i
        for i, reason in enumerate(r for r in Reason if r not in (Reason.AUDIT_FAILED, Reason.INTERNAL))
    },
}


class FairshareError(Exception):
    """An error a user can act on.

    `reason` is stable; `message` is one line saying what happened; `hint` is one line saying what to do next.
    """

    def __init__(self, reason: Reason, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    @property
    def exit_status(self) -> int:
        """Exit status of a command that ends with this error."""
        return EXIT_STATUS[self.reason]
