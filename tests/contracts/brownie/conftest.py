"""Brownie's part of the contract tests: whole project lives on a real chain that brownie starts, judged by Python."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from rounds import LENGTH, SLOTS, UNBONDING_DELAY_S, commitment

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_source
from marketplace.chain.types import Circuit, address
from marketplace.devnet.anvil import find_anvil

ACCEPTING_VERIFIER = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract AcceptingVerifier {
    function verifyProof(bytes calldata, uint256[] calldata) external pure returns (bool) { return true; }
}"""


def pytest_ignore_collect(collection_path: object, config: pytest.Config) -> bool | None:
    """Other suites collect `tests/` without brownie's plugin: these tests are not theirs."""
    return None if config.pluginmanager.hasplugin("pytest-brownie") else True


def pytest_configure(config: pytest.Config) -> None:
    """Lets brownie find anvil, and gives its chain a port of its own."""
    if not config.pluginmanager.hasplugin("pytest-brownie"):
        return
    from brownie._config import CONFIG

    os.environ["PATH"] = f"{find_anvil().parent}{os.pathsep}{os.environ['PATH']}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Here, because brownie 1.22 cannot take these from brownie-config.yaml.
    CONFIG.networks["development"]["cmd_settings"].update(port=port, accounts=16, gas_limit=30_000_000)


@pytest.fixture(autouse=True)
def isolation(fn_isolation: None) -> None:
    """Each test starts from the chain as the module left it."""


@pytest.fixture(scope="module")
def market(GramVerifier: Any, TrainingMarket: Any, accounts: Any) -> Any:
    verifier = GramVerifier.deploy({"from": accounts[0]})
    return TrainingMarket.deploy(verifier, UNBONDING_DELAY_S, {"from": accounts[0]})


@pytest.fixture(scope="module")
def vault(market: Any, StakeVault: Any) -> Any:
    return StakeVault.at(market.vault())


@pytest.fixture(scope="module")
def reputation(market: Any, ReputationRegistry: Any) -> Any:
    return ReputationRegistry.at(market.reputation())


@pytest.fixture(scope="module")
def circuit(market: Any, GramVerifier: Any, accounts: Any) -> bytes:
    """A circuit whose verifier accepts every proof: these tests are about what follows from G."""
    verifier = _deployed(accounts[0], compile_source("AcceptingVerifier", ACCEPTING_VERIFIER))
    registry = GramVerifier.at(market.gramVerifier())
    given = Circuit(address(verifier.address), SLOTS, LENGTH, 64 * SLOTS, commitment([0] * LENGTH))
    registered = registry.register(given.to_abi(), {"from": accounts[0]})
    return bytes(registered.events["CircuitRegistered"]["digest"])


@pytest.fixture(scope="module")
def erc20(accounts: Any) -> Any:
    source = Path(__file__).parents[1] / "forge" / "support" / "Tokens.sol"
    token = _deployed(accounts[0], compile_source("PlainToken", source.read_text("utf8")))
    for account in accounts:
        token.mint(account, 10**24, {"from": account})
    return token


def _deployed(account: Any, artifact: Artifact) -> Any:
    from brownie import Contract  # here, as other suites read this file too and need not load brownie

    created = account.transfer(data="0x" + artifact.bytecode)
    return Contract.from_abi(artifact.name, created.contract_address, [dict(entry) for entry in artifact.abi])
