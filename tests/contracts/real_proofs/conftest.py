"""A market with real circuits on a chain of its own, and one proved round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import deploy_circuit
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.journal import Journal
from tests.contracts.real_proofs.statements import LENGTH, SLOTS, Statement, Verifier, random_updates
from tests.support.circuits import circuit_cache
from tests.support.local_store import LocalStore
from tests.support.market_run import Stage
from zk import keys, verifier
from zk.files import CircuitFiles
from zk.shape import CircuitShape


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifier]:
    with Anvil(accounts=20) as anvil:
        yield _deploy(anvil.url, tmp_path_factory.mktemp("deployer"))


@pytest.fixture(scope="session")
def proved(chain: Verifier) -> Statement:
    """Slot 3 is absent, slots 0 and 2 are merged."""
    return chain.prove(random_updates(1, absent=(3,)), merged=0b101)[0]


def _deploy(url: str, folder: Path) -> Verifier:
    files, other = (
        keys.build(CircuitShape(SLOTS, length), circuit_cache()) for length in (LENGTH, LENGTH - 2)
    )
    with (
        Journal(folder / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(url).connect(), public_account(0), journal, lock_directory=folder, poll_s=0.02
        ) as sender,
    ):
        deployment = deploy(sender, unbonding_delay_s=3600)
        circuits = [_register(sender, deployment.gram_verifier, circuit) for circuit in (files, other)]
    client = deployment.client(url).connect()
    stage = Stage(url, deployment, client, LocalStore(), files, circuits[0], circuit_cache())
    return Verifier(stage, circuits[1])


def _register(sender: TransactionSender, gram_verifier: str, files: CircuitFiles) -> bytes:
    return deploy_circuit(
        sender,
        address(gram_verifier),
        compile_source(verifier.CONTRACT, verifier.source(files)),
        slots=files.shape.slots,
        length=files.shape.length,
        proof_length=files.proof_length,
        zero=files.zero,
    )
