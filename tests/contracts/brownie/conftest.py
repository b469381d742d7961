"""Brownie's part of the contract tests: whole project lives on a real chain that brownie starts, judged by Python."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import toy
from at_once import MinedAtOnce
from lens import LENS
from rounds import SLOTS, UNBONDING_DELAY_S

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_source
from marketplace.chain.types import address
from marketplace.devnet.anvil import MNEMONIC, find_anvil, public_account

if TYPE_CHECKING:
    from world import World

ACCOUNTS = 20
LIBRARIES = (
    "Membership",
    "Settling",
    "Submissions",
    "Complaints",
    "Results",
    "Challenges",
    "SketchRounds",
    "SketchComplaints",
    "SketchChallenges",
)  # those linked first
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
    past = tempfile.mkdtemp(
        prefix="fairshare-chain-"
    )  # states of older blocks: anvil leaves them in the home folder
    config.add_cleanup(lambda: shutil.rmtree(past, ignore_errors=True))
    CONFIG.networks["development"]["cmd"] += f" --cache-path {past}"
    # Here, because brownie 1.22 cannot take these from brownie-config.yaml.
    CONFIG.networks["development"]["cmd_settings"].update(
        port=port, accounts=ACCOUNTS, gas_limit=30_000_000, mnemonic=MNEMONIC
    )


@pytest.fixture(scope="session", autouse=True)
def chain_of_its_own_time() -> None:
    """A test that takes long misses no deadline: time passes with the chain's blocks, not with the machine's clock."""
    from brownie import web3  # here, as other suites read this file too and need not load brownie
    from wire import tick

    web3.middleware_onion.inject(MinedAtOnce, layer=0)
    tick()


@pytest.fixture(autouse=True)
def isolation(fn_isolation: None) -> None:
    """Each test starts from the chain as the module left it."""


@pytest.fixture(scope="module")
def world(accounts: Any) -> World:
    """A market with two circuits, whose verifier accepts every proof: these tests are about what follows from G."""
    from brownie import project  # here, as other suites read this file too and need not load brownie
    from world import World

    (loaded,) = project.get_loaded_projects()
    deployer = {"from": accounts[0]}
    for library in LIBRARIES:  # brownie links the latest of a name
        loaded[library].deploy(deployer)
    registry = loaded["GramVerifier"].deploy(deployer)
    judge = loaded["RoundJudge"].deploy(deployer)
    market = loaded["TrainingMarket"].deploy(registry, judge, UNBONDING_DELAY_S, deployer)
    verifier = _deployed(accounts[0], compile_source("AcceptingVerifier", ACCEPTING_VERIFIER))
    circuits = []
    for inputs in (SLOTS, SLOTS + 1):
        given = toy.circuit(address(verifier.address), inputs)
        registered = registry.register(given.to_abi(), deployer)
        circuits.append(bytes(registered.events["CircuitRegistered"]["digest"]))
    return World(
        market,
        loaded["StakeVault"].at(market.vault()),
        loaded["ReputationRegistry"].at(market.reputation()),
        _erc20(accounts, (market, market.vault())),
        accounts,
        {str(account): public_account(i) for i, account in enumerate(accounts)},
        *circuits,
    )


@pytest.fixture(scope="module")
def lens(accounts: Any) -> Any:
    return _deployed(accounts[0], compile_source("Lens", LENS))


def _erc20(accounts: Any, takers: Sequence[Any]) -> Any:
    from wire import Wired  # here, as other suites read this file too and need not load brownie

    source = Path(__file__).parents[1] / "forge" / "support" / "Tokens.sol"
    token = _deployed(accounts[0], compile_source("PlainToken", source.read_text("utf8")))
    wired = Wired(token)
    for account in map(str, accounts):
        wired.mint(account, 10**24, {"from": account})
        for taker in takers:
            wired.approve(str(taker), 10**24, {"from": account})
    return token


def _deployed(account: Any, artifact: Artifact) -> Any:
    from brownie import Contract  # here, as other suites read this file too and need not load brownie

    created = account.transfer(data="0x" + artifact.bytecode)
    return Contract.from_abi(artifact.name, created.contract_address, [dict(entry) for entry in artifact.abi])
