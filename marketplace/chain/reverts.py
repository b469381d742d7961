"""From a revert's bytes to a reason code and one line of words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from marketplace.chain.compile import compile_contracts
from marketplace.chain.types import Status, address
from marketplace.errors import FairshareError, Reason

_STRING_ERROR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_REVERTED = "the contract refused it without a reason"

_ANY_STATE = "check the state of the project"
_ODD_TOKEN = "use a token that keeps no fee and changes no balances by itself"

# What a custom error means to a user: its reason, and what to do next. Those not here are REFUSED, as is what quotes a
# state that is no longer the chain's: who read it reads again.
_MEANINGS: Mapping[str, tuple[Reason, str]] = {
    "DeadlinePassed": (Reason.DEADLINE_PASSED, "it is too late for this; see the project's deadlines"),
    "TooEarly": (Reason.REFUSED, "wait until then"),
    "StillUnbonding": (Reason.REFUSED, "wait until then"),
    "InsufficientFree": (Reason.NO_FUNDS, "deposit more into the stake vault"),
    "WrongValue": (Reason.NO_FUNDS, "send exactly the amount expected"),
    "ERC20InsufficientBalance": (Reason.NO_FUNDS, "put enough of the token into the account"),
    "ERC20InsufficientAllowance": (Reason.NO_FUNDS, "approve the token for the contract first"),
    "UnknownCircuit": (Reason.NOT_FOUND, "register the circuit first"),
    "InvalidTerms": (Reason.BAD_INPUT, "correct that term"),
    "InvalidUnbondingDelay": (Reason.BAD_INPUT, "give a delay of at most 30 days"),
    "NotAToken": (Reason.BAD_INPUT, "check the token's address and the chain"),
    "UnevenTransfer": (Reason.REFUSED, _ODD_TOKEN),
    "TokenShrank": (Reason.REFUSED, _ODD_TOKEN),
    "PermitRejected": (Reason.NO_FUNDS, "approve the token for the contract first"),
    "ReputationTooLow": (Reason.REFUSED, "join projects without that floor first"),
    "NotListed": (Reason.REFUSED, "the owner chose who may aggregate; take another project"),
    "ChallengeOpen": (Reason.REFUSED, "wait until it is answered, or undo the round once it is overdue"),
    "NothingToClaim": (Reason.REFUSED, "there is nothing to do"),
    "NothingToRelease": (Reason.REFUSED, "there is nothing to do"),
    "NothingUnbonding": (Reason.REFUSED, "unbond some stake first"),
    "ProofRejected": (Reason.INTEGRITY, "prove again with the circuit's own keys"),
    "CommitmentMismatch": (Reason.INTEGRITY, "prove with exactly the updates that were committed to"),
    "DigestMismatch": (Reason.INTEGRITY, "use exactly the commitments that were submitted"),
    "WrongArrivals": (Reason.REFUSED, "read the round's submissions and batch anew"),
    "WrongModel": (Reason.REFUSED, "read the model that the project stands at anew"),
    "WrongSeed": (Reason.REFUSED, "read the round's seed anew"),
    "WrongOutcomes": (Reason.REFUSED, "read the round's results anew"),
    "OpeningRejected": (Reason.INTEGRITY, "open exactly the vector that was committed to"),
    "WrongPath": (Reason.REFUSED, "use the calls of the project's own path, exact or sketch"),
    "NotDrawn": (Reason.REFUSED, "draw the round's sketches first"),
    "AlreadyDrawn": (Reason.REFUSED, "there is nothing to do"),
    "NotUnderRoot": (Reason.INTEGRITY, "use exactly the chunks that were committed to"),
    "WrongFacts": (Reason.REFUSED, "read the round's results and challenges anew"),
    "AnswerStands": (Reason.REFUSED, "refute it, or close the challenge once its time is over"),
    "NotRefuted": (Reason.REFUSED, "the value is right: there is nothing to refute"),
    "ModelMoved": (Reason.INTEGRITY, "keep the model where nothing is merged"),
}


class Revert(NamedTuple):
    """A decoded custom error: its name and its arguments by name."""

    name: str
    arguments: Mapping[str, Any]


class _Parameter(NamedTuple):
    name: str
    kind: str  # canonical ABI type
    internal: str  # Solidity's type

    def typed(self, value: Any) -> Any:
        if self.internal == "enum Status" and value in set(Status):
            return Status(value)
        return address(value) if self.kind == "address" else value


class _ErrorType(NamedTuple):
    name: str
    parameters: tuple[_Parameter, ...]


def _uint(name: str) -> _Parameter:
    return _Parameter(name, "uint256", "uint256")


def _account(name: str) -> _Parameter:
    return _Parameter(name, "address", "address")


# EIP-6093: what tokens say; no contract of ours declares them.
_ERC20_ERRORS = (
    _ErrorType("ERC20InsufficientBalance", (_account("sender"), _uint("balance"), _uint("needed"))),
    _ErrorType("ERC20InsufficientAllowance", (_account("spender"), _uint("allowance"), _uint("needed"))),
    _ErrorType("ERC20InvalidSender", (_account("sender"),)),
    _ErrorType("ERC20InvalidReceiver", (_account("receiver"),)),
    _ErrorType("ERC20InvalidApprover", (_account("approver"),)),
    _ErrorType("ERC20InvalidSpender", (_account("spender"),)),
)


def revert_data(data: Any) -> bytes:
    """The revert's bytes from an endpoint's `data`, however it wraps them; empty when there are none."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result", ""))
    if isinstance(data, str):
        found = re.search(r"0x([0-9a-fA-F]*)", data)
        return bytes.fromhex(found[1]) if found and len(found[1]) % 2 == 0 else b""
    return b""


def decode_revert(data: bytes) -> Revert | None:
    """The custom error in `data`, from any contract of this project; None when it is none of theirs."""
    if data[:4] in (_STRING_ERROR, _PANIC):
        name, types = ("Error", ["string"]) if data[:4] == _STRING_ERROR else ("Panic", ["uint256"])
        values = _decode(types, data[4:])
        return None if values is None else Revert(name, {"message" if name == "Error" else "code": values[0]})
    error = _error_types().get(data[:4])
    if error is None:
        return None
    values = _decode([parameter.kind for parameter in error.parameters], data[4:])
    if values is None:
        return None
    pairs = zip(error.parameters, values, strict=True)
    return Revert(error.name, {parameter.name: parameter.typed(value) for parameter, value in pairs})


def as_error(data: bytes, doing: str, message: str = "") -> FairshareError:
    """The error to raise for a revert with `data` while `doing` something."""
    revert = decode_revert(data)
    if revert is None:
        words = f"unknown error 0x{data[:4].hex()}" if len(data) >= 4 else message or _REVERTED
        return FairshareError(Reason.REFUSED, f"{doing}: {words}", _ANY_STATE)
    reason, hint = _meaning(revert)
    return FairshareError(reason, f"{doing}: {in_words(revert)}", hint)


def in_words(revert: Revert) -> str:
    """`SlotTaken(slot=3)` as "slot taken: slot 3"."""
    if revert.name == "Error":
        return str(revert.arguments["message"])
    if revert.name == "Panic":
        return f"the contract failed with panic code {revert.arguments['code']:#04x}"
    arguments = ", ".join(
        f"{_spaced(name)} {_shown(value)}".strip() for name, value in revert.arguments.items()
    )
    return f"{_spaced(revert.name)}: {arguments}" if arguments else _spaced(revert.name)


def _meaning(revert: Revert) -> tuple[Reason, str]:
    if revert.name == "WrongStatus" and revert.arguments.get("status") == Status.NONE:
        return Reason.NOT_FOUND, "check the project's number and the chain"
    return _MEANINGS.get(revert.name, (Reason.REFUSED, _ANY_STATE))


def _decode(types: list[str], data: bytes) -> tuple[Any, ...] | None:
    try:
        return tuple(decode(types, data))
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return None


def _spaced(name: str) -> str:
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return text.decode() if text and text.isalnum() and len(value) == 32 else "0x" + value.hex()
    return value.name.lower() if isinstance(value, Status) else str(value)


@functools.cache
def _error_types() -> Mapping[bytes, _ErrorType]:
    abis = [artifact.abi for artifact in compile_contracts().values()]
    ours = [error for abi in abis for error in _errors_of(abi)]
    return {_selector(error): error for error in (*ours, *_ERC20_ERRORS)}


def _errors_of(abi: Iterable[Mapping[str, Any]]) -> Iterable[_ErrorType]:
    for entry in abi:
        if entry["type"] == "error":
            yield _ErrorType(
                entry["name"],
                tuple(
                    _Parameter(
                        parameter["name"] or f"#{i}",
                        collapse_if_tuple(parameter),
                        parameter.get("internalType", ""),
                    )
                    for i, parameter in enumerate(entry["inputs"])
                ),
            )


def _selector(error: _ErrorType) -> bytes:
    return bytes(
        keccak(text=f"{error.name}({','.join(parameter.kind for parameter in error.parameters)})")[:4]
    )
