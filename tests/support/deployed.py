"""A chain of one's own with a market on it, and when its blocks come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node import logging
from marketplace.node.journal import Journal


@contextmanager
def deployed_market(folder: Path, accounts: int) -> Iterator[tuple[str, Deployment]]:
    """The chain's URL and the market's deployment; logs go to `folder`."""
    logging.configure(file=folder / "log.jsonl")
    with Anvil(accounts=accounts) as chain:
        with (
            Journal(folder / "deployer.sqlite") as journal,
            TransactionSender(
                ChainClient(chain.url), public_account(0), journal, lock_directory=folder, poll_s=0.01
            ) as sender,
        ):
            deployed = deploy(sender, unbonding_delay_s=7200)
        yield chain.url, deployed


def blocks_each_second(client: ChainClient) -> None:
    """Anvil mines as a public chain does, no longer with each transaction."""
    client.web3.manager.request_blocking(RPCEndpoint("evm_setIntervalMining"), [1])


@contextmanager
def block_for_each_transaction(client: ChainClient) -> Iterator[None]:
    """For what a test only prepares with: nothing waits for a block meanwhile."""
    client.web3.manager.request_blocking(RPCEndpoint("evm_setAutomine"), [True])
    try:
        yield
    finally:
        blocks_each_second(client)
