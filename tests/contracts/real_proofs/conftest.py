"""GramVerifier with real circuits on a chain of its own, and one proved round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.compile import compile_contracts, compile_source
from marketplace.chain.contracts import GRAM_VERIFIER, contract_at
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.journal import Journal
from tests.contracts.real_proofs.statements import (
    LENGTH,
    LONG,
    SLOTS,
    Registered,
    Statement,
    Verifier,
    random_updates,
)
from tests.support.circuits import circuit_cache
from zk import keys, verifier
from zk.shape import MIN_SLOTS, CircuitShape


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifier]:
    folder = tmp_path_factory.mktemp("deployer")
    with (
        Anvil(accounts=20) as anvil,
        Journal(folder / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(anvil.url).connect(), public_account(0), journal, lock_directory=folder, poll_s=0.02
        ) as sender,
    ):
        yield _deploy(sender)


@pytest.fixture(scope="session")
def proved(chain: Verifier) -> Statement:
    """Slot 3 is absent, slots 0 and 2 are merged."""
    return chain.prove(random_updates(1, absent=(3,)), merged=0b101)[0]


def _deploy(sender: TransactionSender) -> Verifier:
    artifact = compile_contracts()["GramVerifier"]
    factory = sender.client.web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    place = sender.send("deploy GramVerifier", factory.constructor()).contract_address
    assert place is not None
    shapes = (
        CircuitShape(SLOTS, LENGTH),
        CircuitShape(SLOTS, LENGTH - 2),
        CircuitShape(MIN_SLOTS, LONG),
    )
    circuits = [_register(sender, place, shape) for shape in shapes]
    return Verifier(contract_at(sender.client.web3, GRAM_VERIFIER, place), *circuits)


def _register(sender: TransactionSender, gram_verifier: Address, shape: CircuitShape) -> Registered:
    files = keys.build(shape, circuit_cache())
    compiled = compile_source(verifier.CONTRACT, verifier.source(files))
    return Registered(files, deploy_circuit(sender, gram_verifier, compiled, circuit_of(files)))
