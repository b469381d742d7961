"""The market's calls inside a transaction's calldata."""

from __future__ import annotations

import functools

from eth_utils.abi import function_abi_to_4byte_selector

from marketplace.chain.contracts import MARKET, abi_entry
from marketplace.chain.events import decode_result_call
from marketplace.chain.types import RoundResult
from marketplace.errors import FairshareError, Reason

_MOST_CANDIDATES = 64


def find_result(transaction_input: bytes, project: int, round: int) -> RoundResult:
    """The result that a transaction posted for a round: its own call, or one that it hands to another contract.

    A contract account passes the call on within its own calldata. That what is found is what the market saw
    is for the caller to show: the proof, the merged mask and the model's commitment leave no other.

    Raises INTEGRITY where the calldata holds no such call.
    """
    selector = _selector("postResult")
    start = transaction_input.find(selector)
    for _ in range(_MOST_CANDIDATES):
        if start < 0:
            break
        try:
            call = decode_result_call(transaction_input[start:])
        except FairshareError as error:
            if error.reason is not Reason.INTEGRITY:
                raise
        else:
            if call.project == project and call.result.round == round:
                return call.result
        start = transaction_input.find(selector, start + 1)
    raise FairshareError(
        Reason.INTEGRITY,
        f"the calldata of round {round}'s result holds no postResult for it",
        "check the endpoint; a result put together by another contract cannot be audited",
    )


@functools.cache
def _selector(function: str) -> bytes:
    return bytes(function_abi_to_4byte_selector(abi_entry(MARKET, "function", function)))  # type: ignore[arg-type]
