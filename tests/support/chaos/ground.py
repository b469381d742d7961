"""What a project of processes stands on: a chain with the market, two ways to reach it, a storage node, keys, data."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address, Project
from marketplace.devnet import accounts
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.learning.data import save_npz
from marketplace.node.journal import Journal
from marketplace.spec import ProjectFile
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.ports import lasting_port
from marketplace.storage.store import ContentStore
from tests.support.chaos.pace import Pace
from tests.support.chaos.proxy import EndpointProxy
from tests.support.live_market import iris
from tests.support.processes import run

CONFIRMATIONS = 6  # more than is ever reorganised
UNBONDING_S = 3600
_STARTING_POST_S = 240


@dataclass
class Ground:
    """`client` is the chain's own, through no proxy. `proxies`: by name, in front of that chain."""

    folder: Path
    keys: Path
    accounts: Mapping[str, Address]  # by participant
    cache: Path
    client: MarketClient
    pace: Pace
    proxies: Mapping[str, EndpointProxy]
    storage: EmbeddedNode  # that stands alone, at addresses that its restarts keep
    storage_api: str
    storage_address: str  # for peers

    def environment(self, name: str, endpoints: tuple[str, ...], *, embeds: bool) -> dict[str, str]:
        """FAIRSHARE_* settings of a participant that knows the chain by these proxies.

        `embeds`: with a storage node of its own, else with the one that stands alone.
        """
        return {
            "FAIRSHARE_RPC": " ".join(self.proxies[endpoint].url for endpoint in endpoints),
            "FAIRSHARE_MARKET": self.client.address,
            "FAIRSHARE_CONFIRMATIONS": str(CONFIRMATIONS),
            "FAIRSHARE_KEYSTORE": str(self.keys / f"{name}.json"),
            "FAIRSHARE_PASSWORD_FILE": str(self.keys / accounts.PASSWORD_FILE),
            "FAIRSHARE_STATE_DIR": str(self.folder / "state" / name),
            "FAIRSHARE_CACHE_DIR": str(self.cache),
            **(
                {"FAIRSHARE_PEERS": self.storage_address}
                if embeds
                else {"FAIRSHARE_STORAGE": self.storage_api}
            ),
        }

    def post(self, file: ProjectFile) -> int:
        """`fairshare project post`, as the owner runs it."""
        folder = self.folder / "project"
        folder.mkdir()
        held_out = iris(1)[1]
        save_npz(folder / "evaluation.npz", held_out.rows(np.arange(0, 30, 2)))
        save_npz(folder / "validation.npz", held_out.rows(np.arange(1, 30, 2)))
        (folder / "project.toml").write_text(file.to_toml())
        environment = self.environment("owner", tuple(self.proxies), embeds=False)
        said = run(["project", "post", str(folder / "project.toml"), "--json"], environment, _STARTING_POST_S)
        assert said.returncode == 0, said.stderr
        return int(json.loads(said.stdout)["project"])

    def in_turn(self, project: int, state: Project) -> tuple[str, ...]:
        """The aggregator whose turn it is; nobody where all have had theirs."""
        turn = self.client.aggregators(project)[state.aggregator_index :][:1]
        holders = {account.holder for account in turn}
        return tuple(name for name, account in self.accounts.items() if account in holders)

    def store(self) -> ContentStore:
        """The storage node that stands alone, as an auditor asks it."""
        return ContentStore(self.storage_api)

    def kill_storage(self) -> None:
        """SIGKILL to the storage node that stands alone; `storage.start` starts it again."""
        os.kill(self.storage.pid, signal.SIGKILL)


@contextmanager
def ground(folder: Path, keys: Path, cache: Path, names: tuple[str, ...]) -> Iterator[Ground]:
    """A new chain with the market, and coins for `names`, whose keys will be in `keys`."""
    folder.mkdir()
    with ExitStack() as stack:
        anvil = stack.enter_context(Anvil())
        client = _deployed(anvil, folder)
        made = accounts.create(client, keys, names)
        storage = stack.enter_context(EmbeddedNode(folder / "storage", lasting_port()))
        proxies = {name: stack.enter_context(EndpointProxy(anvil.port)) for name in ("A", "B")}
        pace = stack.enter_context(Pace(client))
        address = ContentStore(storage.api).addresses()[0]
        yield Ground(folder, keys, made, cache, client, pace, proxies, storage, storage.api, address)


def _deployed(anvil: Anvil, folder: Path) -> MarketClient:
    with (
        Journal(folder / "deployer.sqlite") as journal,
        TransactionSender(
            ChainClient(anvil.url), public_account(0), journal, lock_directory=folder, poll_s=0.01
        ) as sender,
    ):
        market = deploy(sender, unbonding_delay_s=UNBONDING_S).market
    return MarketClient(anvil.url, market).connect()
