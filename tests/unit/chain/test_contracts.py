"""Functions that carry their own entry of the ABI say what web3 says with the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
from web3 import Web3

from marketplace.chain.contracts import MARKET, VAULT, contract_at, interface_abi
from marketplace.chain.simulation import Call
from marketplace.chain.types import NATIVE_COIN

SIMPLE = {"uint256": 7, "uint16": 7, "address": "0x" + "11" * 20, "bytes32": b"\x07" * 32}


@pytest.mark.parametrize("name", [MARKET, VAULT])
def test_calls_are_encoded_as_with_the_whole_abi(name: str) -> None:
    web3, abi = Web3(), interface_abi(name)
    ours = contract_at(web3, name, NATIVE_COIN)
    whole = web3.eth.contract(address=Web3.to_checksum_address(NATIVE_COIN), abi=abi)
    looked_at = 0
    for entry in abi:
        kinds = [given["type"] for given in entry.get("inputs", ())]
        if entry["type"] != "function" or not SIMPLE.keys() >= set(kinds):
            continue
        arguments: list[Any] = [SIMPLE[kind] for kind in kinds]
        call = ours.functions[entry["name"]](*arguments)
        assert {other["name"] for other in call.contract_abi} == {entry["name"]}
        assert "0x" + Call.of(call).data.hex() == whole.encode_abi(entry["name"], arguments)
        looked_at += 1
    assert looked_at > 5
