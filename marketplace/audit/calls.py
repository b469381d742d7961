"""The market's calls inside a transaction's calldata."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector
from web3.exceptions import MismatchedABI, Web3ValueError

from marketplace.chain.contracts import MARKET, abi_entry, codec
from marketplace.chain.types import Arrivals, RoundResult
from marketplace.errors import FairshareError, Reason

_MOST_CANDIDATES = 64

T = TypeVar("T")


@dataclass(frozen=True)
class ProofAnswer:
    """What answered a challenge of a result: the Gram matrix's upper triangle, and the proof."""

    gram: tuple[int, ...]
    proof: bytes


def find_result(transaction_input: bytes, project: int, round: int, cohort: int) -> RoundResult:
    """The result that a transaction posted for a cohort's round: its own call, or one handed to another contract.

    A contract account passes the call on within its own calldata. That what is found is what the market saw
    is for the caller to show: the digests, the merged mask and the model's commitment leave no other.

    Raises INTEGRITY where the calldata holds no such call.
    """

    def read(arguments: dict[str, Any]) -> RoundResult | None:
        result = RoundResult.from_abi(arguments["result"])
        said = (arguments["project"], result.round, result.cohort)
        return result if said == (project, round, cohort) else None

    return find_call(transaction_input, "postResult", read, f"round {round}'s result")


def find_complaint(
    transaction_input: bytes, project: int, round: int, cohort: int, function: str = "complain"
) -> Arrivals:
    """The arrivals that a complaint handed in; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> Arrivals | None:
        said = (arguments["project"], arguments["round"], arguments["cohort"])
        return Arrivals.from_abi(arguments["arrivals"]) if said == (project, round, cohort) else None

    return find_call(transaction_input, function, read, f"round {round}'s complaint")


def find_proof(transaction_input: bytes, project: int) -> ProofAnswer:
    """The proof that answered a challenge; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> ProofAnswer | None:
        if arguments["project"] != project:
            return None
        return ProofAnswer(tuple(int(felt) for felt in arguments["gram"]), bytes(arguments["proof"]))

    return find_call(transaction_input, "answerProof", read, "the answer")


def find_call(
    transaction_input: bytes, function: str, read: Callable[[dict[str, Any]], T | None], what: str
) -> T:
    """What `read` makes of the first call of `function` inside; None: it is another one. INTEGRITY where none is."""
    selector = _selector(function)
    start = transaction_input.find(selector)
    for _ in range(_MOST_CANDIDATES):
        if start < 0:
            break
        try:
            _, arguments = codec(MARKET).decode_function_input(transaction_input[start:])
            found = read(arguments)
        except (Web3ValueError, MismatchedABI, DecodingError, OverflowError, ValueError):
            found = None
        if found is not None:
            return found
        start = transaction_input.find(selector, start + 1)
    raise FairshareError(
        Reason.INTEGRITY,
        f"the calldata of {what} holds no {function} for it",
        "check the endpoint; what another contract put together itself cannot be audited",
    )


@functools.cache
def _selector(function: str) -> bytes:
    return bytes(function_abi_to_4byte_selector(abi_entry(MARKET, "function", function)))  # type: ignore[arg-type]
