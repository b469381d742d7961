"""Single requests and batches: what is an answer, a revert, or an error of the endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from web3 import Web3
from web3.exceptions import BlockNotFound, ContractLogicError, Web3RPCError
from web3.providers.base import JSONBaseProvider

from marketplace.chain.json_rpc import (
    MOST_AT_ONCE,
    amount_in,
    answers,
    ask,
    ask_all,
    block_in,
    block_request,
    block_tag,
    bytes_in,
    hash_in,
    request,
    result_in,
)

BUSY = {"code": -32005, "message": "limit exceeded"}
HASH = b"\x12" * 32


class Echo(JSONBaseProvider):
    """Answers with the first parameter. `in_batch` decides what becomes of a request in a batch."""

    def __init__(self, in_batch: Any) -> None:
        super().__init__()
        self._in_batch = in_batch
        self.singles: list[Any] = []
        self.batches: list[int] = []

    def make_request(self, method: Any, params: Any) -> Any:
        self.singles.append(params[0])
        return {"jsonrpc": "2.0", "id": 0, "result": params[0]}

    def make_batch_request(self, requests: Any) -> Any:
        self.batches.append(len(requests))
        return self._in_batch([params[0] for _, params in requests])


def echoed(numbers: list[int]) -> list[Any]:
    return [{"jsonrpc": "2.0", "id": place, "result": each} for place, each in enumerate(numbers)]


def test_a_batch_is_answered_in_its_order() -> None:
    provider = Echo(echoed)
    numbers = list(range(2 * MOST_AT_ONCE + 50))
    assert ask_all(Web3(provider), [request("echo", each) for each in numbers]) == numbers
    assert provider.batches == [MOST_AT_ONCE, MOST_AT_ONCE, 50]
    assert not provider.singles
    assert ask(Web3(provider), request("echo", 7)) == 7


def test_what_takes_no_batches_is_asked_one_by_one() -> None:
    provider = Echo(lambda numbers: {"jsonrpc": "2.0", "id": None, "error": BUSY})
    assert ask_all(Web3(provider), [request("echo", each) for each in range(3)]) == [0, 1, 2]
    assert provider.singles == [0, 1, 2]


def test_what_was_left_out_of_a_batch_is_asked_again_and_a_revert_is_not() -> None:
    reverted = {"code": 3, "message": "execution reverted", "data": "0x"}

    def some(numbers: list[int]) -> list[Any]:
        given = echoed(numbers)
        return [given[0], {"id": 1, "error": BUSY}, {"id": 2, "error": reverted}]

    provider = Echo(some)
    found = answers(Web3(provider), [request("echo", each) for each in range(3)])
    assert provider.singles == [1]
    assert [result_in(each) for each in found[:2]] == [0, 1]
    with pytest.raises(ContractLogicError):
        result_in(found[2])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 3, "message": "execution reverted", "data": "0x08c379a0"}, ContractLogicError),
        ({"code": -32000, "message": "execution reverted"}, ContractLogicError),
        (
            {"code": -32000, "message": "VM Exception while processing transaction: revert"},
            ContractLogicError,
        ),
        ({"code": -32603, "message": "x", "data": {"data": "0x12345678"}}, ContractLogicError),
        ({"code": -32603, "message": "x", "data": "Reverted 0x12345678"}, ContractLogicError),
        ({"code": -32000, "message": "header not found", "data": None}, Web3RPCError),
        (BUSY, Web3RPCError),
        ("text", ValueError),
        ({"code": 3}, ValueError),
        ({"message": 7}, ValueError),
    ],
    ids=str,
)
def test_errors(error: Any, kind: type[Exception]) -> None:
    answer: Any = {"jsonrpc": "2.0", "id": 0, "error": error}
    with pytest.raises(kind):
        result_in(answer)


def test_an_error_of_null_is_none() -> None:
    assert result_in({"jsonrpc": "2.0", "id": 0, "result": None, "error": None}) is None  # type: ignore[typeddict-item]
    with pytest.raises(ValueError, match="neither"):
        result_in({"jsonrpc": "2.0", "id": 0, "error": None})  # type: ignore[typeddict-item]


def test_blocks_are_named_by_number_tag_or_hash() -> None:
    text = "0x" + HASH.hex()
    assert block_tag(17) == "0x11"
    assert block_request("pending") == request("eth_getBlockByNumber", "pending", False)
    assert block_request(17) == request("eth_getBlockByNumber", "0x11", False)
    assert block_request(HASH) == block_request(text) == request("eth_getBlockByHash", text, False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer", [{"result": None}, {"error": {"code": 1, "message": "Header not found"}}], ids=str
)
def test_a_block_that_is_not_there(answer: Any) -> None:
    with pytest.raises(BlockNotFound):
        block_in(answer)


def test_quantities_and_bytes() -> None:
    assert amount_in("0x" + "f" * 64) == 2**256 - 1
    assert bytes_in("0x") == b""
    assert hash_in("0x" + HASH.hex()) == HASH
    for reader in (amount_in, hash_in):
        for value in (None, 5, "5", "0x", "0x" + "1" * 65, ["0x1"], {}):
            with pytest.raises(ValueError, match=r"no |invalid literal|hexadecimal"):
                reader(value)
