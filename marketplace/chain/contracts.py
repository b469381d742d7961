"""Web3 contract objects for the market's contracts, over their interfaces' ABIs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import abi_to_signature, collapse_if_tuple
from web3 import Web3
from web3.contract import Contract

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_contracts
from marketplace.chain.types import NATIVE_COIN, Address

MARKET = "ITrainingMarket"
VAULT = "IStakeVault"
REPUTATION = "IReputationRegistry"
GRAM_VERIFIER = "IGramVerifier"


def interface_abi(name: str) -> list[dict[str, Any]]:
    """The ABI of one of the project's contracts or interfaces."""
    return [dict(entry) for entry in compile_contracts()[name].abi]


def contract_at(web3: Web3, name: str, address: Address) -> Contract:
    """Contract object for the interface `name` at `address`; nothing is sent."""
    abi: list[Any] = list(interface_abi(name))
    contract = web3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)
    functions = [entry for entry in abi if entry["type"] == "function"]
    # At each call web3 checks the ABI that a function was given, and hashes all signatures in it: half of its time.
    for entry in functions:
        same_name: Any = [other for other in functions if other["name"] == entry["name"]]
        contract.functions[abi_to_signature(entry)].contract_abi = same_name
    return contract


@functools.cache
def codec(name: str) -> Contract:
    """Encodes and decodes for the interface `name`; it talks to no chain."""
    return contract_at(Web3(), name, NATIVE_COIN)


@functools.cache
def abi_entry(name: str, kind: str, member: str) -> Mapping[str, Any]:
    """The `kind` ("event", "function") called `member` in the ABI of `name`."""
    return next(entry for entry in interface_abi(name) if entry["type"] == kind and entry["name"] == member)


def encoded_constructor(artifact: Artifact, arguments: Sequence[Any]) -> bytes:
    """A constructor's arguments as they follow the creation code."""
    kinds = [
        collapse_if_tuple(parameter)
        for entry in artifact.abi
        if entry["type"] == "constructor"
        for parameter in entry["inputs"]
    ]
    return bytes(encode(kinds, arguments))
