"""What a transaction's input said: results are read from calldata, which no event repeats."""

from __future__ import annotations

from typing import NamedTuple

from eth_abi.exceptions import DecodingError
from web3.exceptions import MismatchedABI, Web3ValueError

from marketplace.chain.contracts import MARKET, codec
from marketplace.chain.types import RoundResult, SketchResult
from marketplace.errors import FairshareError, Reason


class ResultCall(NamedTuple):
    """What a `postResult` transaction said, or a `postSketchResult`."""

    project: int
    result: RoundResult
    sketch: SketchResult | None = None


def decode_result_call(transaction_input: bytes) -> ResultCall:
    """Project and result that a transaction's input posted; INTEGRITY when it posts none."""
    try:
        function, arguments = codec(MARKET).decode_function_input(transaction_input)
        if function.fn_name not in ("postResult", "postSketchResult"):
            raise Web3ValueError(function.fn_name)
        return ResultCall(
            int(arguments["project"]),
            RoundResult.from_abi(arguments["result"]),
            SketchResult.from_abi(arguments["sketch"]) if "sketch" in arguments else None,
        )
    except (Web3ValueError, MismatchedABI, DecodingError, OverflowError) as error:
        raise FairshareError(
            Reason.INTEGRITY,
            "the transaction that posted the result does not call postResult itself",
            "check the endpoint; a result posted through another contract cannot be audited yet",
        ) from error


def decode_result_calldata(transaction_input: bytes) -> RoundResult:
    """The result that a transaction's input posted; INTEGRITY when it posts none."""
    return decode_result_call(transaction_input).result
