"""What a key that is kept for one market signs, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.contracts import MARKET, VAULT, codec
from marketplace.chain.signing_rules import Refusal, Rules, project_in
from marketplace.chain.types import NATIVE_COIN, address

OWN, STRANGER = address("0x" + "11" * 20), address("0x" + "99" * 20)
HERE, SAFE, TOKEN = (address("0x" + digit * 40) for digit in "abc")
RULES = Rules(5, OWN, frozenset({HERE, SAFE}), frozenset({TOKEN}), project_limit=100, other_limit=10)
SUBMIT = codec(MARKET).encode_abi("submit", [7, 1, 0, b"d" * 32, b"b" * 32])
TRANSACTION: dict[str, Any] = {
    "from": OWN,
    "to": HERE,
    "chainId": "0x5",
    "nonce": "0x1",
    "value": "0x2",
    "gas": "0x3",
    "maxFeePerGas": "0x4",
    "maxPriorityFeePerGas": "0x0",
    "data": SUBMIT,
}


def approval(spender: str, name: str = "095ea7b3") -> str:
    return "0x" + name + spender[2:].rjust(64, "0") + "1".rjust(64, "0")


def test_a_call_of_the_market_is_read() -> None:
    asked = RULES.transaction(TRANSACTION)
    assert (asked.project, asked.nonce, asked.most_cost) == (7, 1, 2 + 3 * 4)
    assert asked.fields["data"] == bytes.fromhex(SUBMIT[2:])
    renamed = {name: value for name, value in TRANSACTION.items() if name not in ("data", "chainId")}
    assert RULES.transaction(renamed | {"input": SUBMIT}).fields == asked.fields


@pytest.mark.parametrize(
    "change",
    [
        {"data": approval(HERE), "to": TOKEN},
        {"to": SAFE, "data": codec(VAULT).encode_abi("deposit", [NATIVE_COIN, 5])},
        {"to": OWN, "data": "0x", "value": "0x0"},  # frees a nonce
    ],
)
def test_other_calls_that_nodes_make(change: dict[str, Any]) -> None:
    assert RULES.transaction(TRANSACTION | change).project is None


@pytest.mark.parametrize(
    "change",
    [
        {"to": STRANGER},
        {"to": OWN},
        {"to": OWN, "data": "0x"},  # with coins
        {"to": None},
        {"to": ""},
        {"to": "0x12"},
        {"to": 5},
        {"chainId": "0x6"},
        {"chainId": 5},
        {"from": STRANGER},
        {"from": None},
        {"to": TOKEN, "data": approval(STRANGER)},
        {"to": TOKEN, "data": approval(HERE, "a9059cbb")},  # transfer
        {"to": TOKEN, "data": "0x095ea7b3"},
        {"nonce": None},
        {"gas": 3},
        {"value": "0xzz"},
        {"value": "0x" + "f" * 65},
        {"data": "0x1"},
        {"data": "0x" + "00" * (128 * 1024 + 1)},
        {"maxFeePerGas": "-0x4"},
    ],
)
def test_what_is_not_signed(change: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        RULES.transaction(TRANSACTION | change)
    with pytest.raises(Refusal):
        RULES.transaction([TRANSACTION])


def test_creations_only_where_they_are_allowed() -> None:
    asked = Rules(5, OWN, frozenset({HERE}), may_create=True).transaction(TRANSACTION | {"to": None})
    assert asked.fields["to"] == b""
    assert asked.project is None


@given(st.integers(0, 200), st.integers(0, 200))
def test_limits(spent: int, needed: int) -> None:
    for project, limit in ((3, 100), (None, 10)):
        if spent + needed <= limit:
            RULES.check_limit(project, spent, needed)
        else:
            with pytest.raises(Refusal, match="may take"):
                RULES.check_limit(project, spent, needed)


def typed(place: str, primary: str = "Submission", chain_id: Any = 5, **message: Any) -> str:
    domain = {"name": "Fairshare", "version": "1", "chainId": chain_id, "verifyingContract": place}
    return json.dumps({"types": {}, "primaryType": primary, "domain": domain, "message": message})


def test_typed_data_of_the_market_and_permits_for_it() -> None:
    assert RULES.typed_data(OWN, typed(HERE, project=1))["message"] == {"project": 1}
    RULES.typed_data(OWN, typed(TOKEN, "Permit", chain_id="5", spender=SAFE))
    for wrong in (
        typed(STRANGER),
        typed(HERE, chain_id=6),
        typed(HERE, chain_id=None),
        typed(TOKEN, "Permit", spender=STRANGER),
        typed(TOKEN, "Permit"),
        typed(TOKEN, "Order", spender=HERE),
        "[]",
        "{}",
        "no",
        "[" * 100_000,
    ):
        with pytest.raises(Refusal):
            RULES.typed_data(OWN, wrong)
    with pytest.raises(Refusal):
        RULES.typed_data(STRANGER, typed(HERE))


def as_data(document: Any) -> str:
    return "0x" + json.dumps(document).encode().hex()


def test_texts_are_this_markets_documents() -> None:
    assert json.loads(RULES.text(OWN, as_data({"chain_id": 5, "market": HERE, "round": 1})))["round"] == 1
    for wrong in (
        as_data({"chain_id": 6, "market": HERE}),
        as_data({"chain_id": 5, "market": STRANGER}),
        as_data({"chain_id": 5}),
        as_data([5]),
        "0x" + b"log me in".hex(),
        "0xff",
        "text",
        None,
    ):
        with pytest.raises(Refusal):
            RULES.text(OWN, wrong)


def test_calls_that_name_no_project() -> None:
    assert project_in(b"") is None
    assert project_in(bytes.fromhex(SUBMIT[2:10])) is None
    assert project_in(b"\x12\x34\x56\x78" + bytes(64)) is None
    assert project_in(bytes.fromhex(codec(MARKET).encode_abi("projectCount", [])[2:])) is None
