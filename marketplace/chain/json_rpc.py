"""Requests to the chain's endpoint as JSON-RPC has them, one by one or in batches, and what their answers hold.

web3's formatting of a request and its answer costs more CPU time than the request itself, and a node makes hundreds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from web3 import Web3
from web3.exceptions import BlockNotFound, ContractLogicError, Web3RPCError
from web3.types import BlockIdentifier, RPCEndpoint, RPCResponse

from marketplace.chain.reverts import revert_data

LARGEST_NUMBER = 2**63 - 1
MOST_AT_ONCE = 100  # requests in a batch; public endpoints take at least as many
_REVERTED = 3  # geth's code for a revert with data
_HASH_CHARACTERS = 66


class Request(NamedTuple):
    """A method, and its parameters as JSON."""

    method: RPCEndpoint
    parameters: Sequence[Any]


def request(method: str, *parameters: Any) -> Request:
    """`method` with parameters that are JSON already."""
    return Request(RPCEndpoint(method), parameters)


def ask(web3: Web3, wanted: Request) -> Any:
    """The result of one request. Raises what `result_in` raises, and what the provider does."""
    return result_in(_single(web3, wanted))


def answers(web3: Web3, wanted: Sequence[Request]) -> list[RPCResponse]:
    """The answers to several requests, in their order: for `result_in`.

    They go in batches. What an endpoint does not answer in a batch is asked for by itself: some take none, or small
    ones only.
    """
    found: list[RPCResponse] = []
    for start in range(0, len(wanted), MOST_AT_ONCE):
        part = wanted[start : start + MOST_AT_ONCE]
        found += [_single(web3, part[0])] if len(part) == 1 else _batch(web3, part)
    return found


def ask_all(web3: Web3, wanted: Sequence[Request]) -> list[Any]:
    """The results of several requests; see `answers`. Raises for the first that failed."""
    return [result_in(answer) for answer in answers(web3, wanted)]


def result_in(answer: RPCResponse) -> Any:
    """The result that an answer holds, which may be any JSON.

    Raises ContractLogicError for a revert, Web3RPCError for another error; ValueError where it is neither.
    """
    given: Mapping[str, Any] = answer
    error = given.get("error")
    if error is None and "result" in given:
        return given["result"]
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise ValueError("neither a result nor an error")
    if _is_revert(error):
        raise ContractLogicError(error["message"], data=error.get("data"))
    raise Web3RPCError(repr(error), rpc_response=answer)


def block_tag(block: BlockIdentifier) -> str:
    """A block's number or tag as JSON; a hash is neither: `block_request`."""
    return hex(block) if isinstance(block, int) else str(block)


def block_request(block: BlockIdentifier) -> Request:
    """Asks for a block's header, by number, tag or hash."""
    if is_hash(block):
        text = block if isinstance(block, str) else "0x" + bytes(block).hex()
        return request("eth_getBlockByHash", text, False)
    return request("eth_getBlockByNumber", block_tag(block), False)


def is_hash(block: BlockIdentifier) -> bool:
    """Whether a block is named by its hash."""
    return isinstance(block, bytes) or (isinstance(block, str) and len(block) == _HASH_CHARACTERS)


def block_at(web3: Web3, block: BlockIdentifier) -> dict[str, Any]:
    """A block by number, tag or hash, without its transactions. Raises as `block_in`."""
    return block_in(_single(web3, block_request(block)))


def block_in(answer: RPCResponse) -> dict[str, Any]:
    """The block that an answer holds. Raises BlockNotFound where there is none, and what `result_in` does."""
    try:
        found = result_in(answer)
    except Web3RPCError as error:
        text = str(error).lower()
        if "not found" in text and ("block" in text or "header" in text):
            raise BlockNotFound(str(error)) from error
        raise
    if found is None:
        raise BlockNotFound("the chain has no such block")
    if not isinstance(found, dict):
        raise ValueError("no block")
    return found


def number_in(value: Any) -> int:
    """A quantity of JSON-RPC; ValueError for anything else: an endpoint may answer anything."""
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 18:
        raise ValueError("no quantity")
    number = int(value, 16)
    if number > LARGEST_NUMBER:
        raise ValueError("too large")
    return number


def amount_in(value: Any) -> int:
    """As `number_in`, of up to 256 bits."""
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > _HASH_CHARACTERS:
        raise ValueError("no quantity")
    return int(value, 16)


def bytes_in(value: Any) -> bytes:
    """Bytes as JSON-RPC has them; ValueError for anything else."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("no bytes")
    return bytes.fromhex(value[2:])


def hash_in(value: Any) -> bytes:
    """32 bytes; ValueError for anything else."""
    found = bytes_in(value)
    if len(found) != 32:
        raise ValueError("no hash")
    return found


def header_in(block: Any) -> tuple[int, int, bytes]:
    """Number, time in seconds and hash of a block as JSON-RPC has it; ValueError for anything else."""
    if not isinstance(block, Mapping):
        raise ValueError("no block")
    return number_in(block.get("number")), number_in(block.get("timestamp")), hash_in(block.get("hash"))


def _single(web3: Web3, wanted: Request) -> RPCResponse:
    return web3.provider.make_request(wanted.method, list(wanted.parameters))


def _batch(web3: Web3, wanted: Sequence[Request]) -> list[RPCResponse]:
    given = web3.provider.make_batch_request([tuple(each) for each in wanted])  # type: ignore[attr-defined]
    if not isinstance(given, list):
        return [_single(web3, each) for each in wanted]
    return [
        _single(web3, each) if _is_unanswered(answer) else answer
        for each, answer in zip(wanted, given, strict=True)
    ]


def _is_unanswered(answer: Mapping[str, Any]) -> bool:
    error = answer.get("error")
    return error is not None and not (isinstance(error, dict) and _is_revert(error))


def _is_revert(error: Mapping[str, Any]) -> bool:
    return (
        error.get("code") == _REVERTED
        or bool(revert_data(error.get("data")))
        or "revert" in str(error.get("message", "")).lower()
    )
