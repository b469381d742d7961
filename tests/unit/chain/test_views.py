"""Views and logs are read as web3 reads them, for every one that the contracts have."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BadFunctionCallOutput

from marketplace.chain.contracts import GRAM_VERIFIER, MARKET, REPUTATION, VAULT, codec, interface_abi
from marketplace.chain.events import (
    GRAM_VERIFIER_EVENTS,
    MARKET_EVENTS,
    REPUTATION_EVENTS,
    SKETCH_EVENTS,
    VAULT_EVENTS,
    Event,
)
from marketplace.chain.events.logs import Log, abi_of, arguments_in, topic_of
from marketplace.chain.types import address
from marketplace.chain.views import view
from marketplace.errors import FairshareError, Reason

EVENTS: Sequence[type[Event]] = (
    *MARKET_EVENTS,
    *SKETCH_EVENTS,
    *VAULT_EVENTS,
    *REPUTATION_EVENTS,
    *GRAM_VERIFIER_EVENTS,
)
WHERE = address("0x" + "12" * 20)
VIEWS = [
    (contract, entry["name"])
    for contract in (MARKET, VAULT, REPUTATION, GRAM_VERIFIER)
    for entry in interface_abi(contract)
    if entry["type"] == "function" and entry["stateMutability"] in ("view", "pure")
]


def value_of(parameter: Mapping[str, Any], dice: random.Random) -> Any:
    kind = parameter["type"]
    if kind.endswith("]"):
        base, _, count = kind[:-1].rpartition("[")
        return [value_of({**parameter, "type": base}, dice) for _ in range(int(count or dice.randrange(4)))]
    if kind == "tuple":
        return tuple(value_of(each, dice) for each in parameter["components"])
    if kind == "address":
        return Web3.to_checksum_address(dice.randbytes(20))
    if kind == "bool":
        return bool(dice.getrandbits(1))
    if kind == "string":
        return "text"
    if kind.startswith("bytes"):
        return dice.randbytes(int(kind[5:] or dice.randrange(70)))
    return dice.getrandbits(int(kind.removeprefix("uint")))


def plain(value: Any) -> Any:
    """Lists and web3's mappings as tuples."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("contract", "name"), VIEWS, ids=str)
def test_a_view_is_asked_and_read_as_web3_does(contract: str, name: str) -> None:
    dice = random.Random(name)
    entry = next(each for each in interface_abi(contract) if each.get("name") == name)
    arguments = [value_of(each, dice) for each in entry["inputs"]]
    question = view(contract, name).at(WHERE, tuple(arguments))
    assert question.data == codec(contract).encode_abi(name, arguments)
    kinds = tuple(map(collapse_if_tuple, entry["outputs"]))
    answer = "0x" + encode(kinds, [value_of(each, dice) for each in entry["outputs"]]).hex()

    web3 = Web3()
    web3.eth.call = lambda *_, **__: HexBytes(answer)  # type: ignore[method-assign]
    function = web3.eth.contract(address=WHERE, abi=[entry]).functions[name](*arguments)  # type: ignore[list-item]
    assert plain(question.answer_in(answer)) == plain(function.call())


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_a_log_is_read_as_web3_does(kind: type[Event]) -> None:
    dice = random.Random(kind.__name__)
    inputs = abi_of(kind)["inputs"]
    indexed = [each for each in inputs if each["indexed"]]
    others = [each for each in inputs if not each["indexed"]]
    topics = [encode([each["type"]], [value_of(each, dice)]) for each in indexed]
    log: Any = {
        "address": WHERE,
        "topics": [HexBytes(topic) for topic in (topic_of(kind), *topics)],
        "data": HexBytes(
            encode(tuple(map(collapse_if_tuple, others)), [value_of(each, dice) for each in others])
        ),
        "blockNumber": 3,
        "blockHash": HexBytes(bytes(32)),
        "transactionHash": HexBytes(b"t" * 32),
        "transactionIndex": 0,
        "logIndex": 1,
    }
    found = Log.from_receipt(log)
    theirs = codec(kind.contract).events[kind.__name__]().process_log(log)["args"]
    assert plain(arguments_in(kind, found)) == tuple(
        plain(theirs[name]) for name in arguments_in(kind, found)
    )
    assert (
        Log.from_json(
            {
                "address": WHERE.lower(),
                "topics": ["0x" + bytes(topic).hex() for topic in log["topics"]],
                "data": "0x" + log["data"].hex(),
                "blockNumber": "0x3",
                "transactionHash": "0x" + (b"t" * 32).hex(),
                "logIndex": "0x1",
            }
        )
        == found
    )
    with pytest.raises(ValueError, match="other topics"):
        arguments_in(kind, found._replace(topics=found.topics[:-1]))


@pytest.mark.parametrize("number", [-1, 2**256])
def test_a_number_that_no_contract_has(number: int) -> None:
    with pytest.raises(FairshareError) as caught:
        view(MARKET, "projectOf").at(WHERE, (number,))
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("answer", ["0x", "0x01", "0x" + "00" * 31])
def test_an_answer_that_is_too_short(answer: str) -> None:
    with pytest.raises(BadFunctionCallOutput):
        view(MARKET, "projectCount").at(WHERE, ()).answer_in(answer)


@pytest.mark.parametrize("answer", [None, 7, "", "00" * 32, "0xzz", {"a": 1}, ["0x"]])
def test_an_answer_that_is_no_bytes(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"no bytes|hexadecimal"):
        view(MARKET, "projectCount").at(WHERE, ()).answer_in(answer)
