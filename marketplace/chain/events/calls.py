"""What a transaction's input said: results are read from calldata, which no event repeats."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector

from marketplace.chain.contracts import MARKET, abi_entry
from marketplace.chain.types import RoundResult, SketchResult
from marketplace.chain.views import decoded
from marketplace.errors import FairshareError, Reason

_SELECTOR_BYTES = 4


class ResultCall(NamedTuple):
    """What a `postResult` transaction said, or a `postSketchResult`."""

    project: int
    result: RoundResult
    sketch: SketchResult | None = None


def decode_result_call(transaction_input: bytes) -> ResultCall:
    """Project and result that a transaction's input posted; INTEGRITY when it posts none."""
    try:
        types = _posting().get(transaction_input[:_SELECTOR_BYTES])
        if types is None:
            raise ValueError("another function")
        project, result, *sketch = decoded(types, transaction_input[_SELECTOR_BYTES:])
        return ResultCall(
            int(project), RoundResult.from_abi(result), *(SketchResult.from_abi(stated) for stated in sketch)
        )
    except (ValueError, DecodingError, OverflowError) as error:
        raise FairshareError(
            Reason.INTEGRITY,
            "the transaction that posted the result does not call postResult itself",
            "check the endpoint; a result posted through another contract cannot be audited yet",
        ) from error


@functools.cache
def _posting() -> Mapping[bytes, tuple[str, ...]]:
    """The types that functions which post results take, by their selector: project, result, sketch."""
    entries = [abi_entry(MARKET, "function", name) for name in ("postResult", "postSketchResult")]
    return {
        bytes(function_abi_to_4byte_selector(entry)): tuple(map(collapse_if_tuple, entry["inputs"]))  # type: ignore[arg-type]
        for entry in entries
    }


def decode_result_calldata(transaction_input: bytes) -> RoundResult:
    """The result that a transaction's input posted; INTEGRITY when it posts none."""
    return decode_result_call(transaction_input).result
