from __future__ import annotations

from collections.abc import Iterator

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.deployment import deploy
from marketplace.chain.sender import TransactionSender
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node import logging
from marketplace.node.journal import Journal
from tests.support.stepped_market import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    logging.configure(file=folder / "log.jsonl")
    with Anvil(accounts=16) as chain:
        with (
            Journal(folder / "deployer.sqlite") as journal,
            TransactionSender(
                ChainClient(chain.url), public_account(0), journal, lock_directory=folder, poll_s=0.01
            ) as sender,
        ):
            deployed = deploy(sender, unbonding_delay_s=7200)
        yield Ground(chain.url, deployed, folder)
