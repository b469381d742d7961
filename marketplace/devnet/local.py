"""A devnet within the life of this process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.local import DEVNET_CHAIN_ID
from marketplace.chain.sender import TransactionSender
from marketplace.devnet import accounts
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.devnet.record import NAME, DevnetRecord, ProcessRecord
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.store import ContentStore

BLOCK_TIME_S = 1
_KEYS = "keys"


@contextlib.contextmanager
def running_devnet(
    directory: Path,
    *,
    port: int = 0,
    trainers: int = 10,
    aggregators: int = 2,
    extra: Sequence[str] = (),
    at_once: bool = False,
) -> Iterator[DevnetRecord]:
    """A devnet in `directory`, for as long as the block runs. `at_once`: transactions do not wait for the next second.

    The chain is a new one each time; keys and storage of an earlier devnet there are used again. Raises REFUSED
    where one runs already, TOOL_MISSING, CHAIN_UNREACHABLE, STORAGE_UNREACHABLE.
    """
    _claim(directory)
    # Contracts first, each in a block of its own at once; only then one block a second.
    with (
        Anvil(
            port=port,
            log=directory / "chain.log",
            past=directory / "chain-past",
            block_time_s=BLOCK_TIME_S if at_once else None,
            at_once=at_once,
        ) as anvil,
        EmbeddedNode(directory / "storage") as storage,
    ):
        client = ChainClient(anvil.url, expected_chain_id=DEVNET_CHAIN_ID).connect()
        deployment = _deploy(client, directory)
        holders = accounts.create(client, directory / _KEYS, [*accounts.names(trainers, aggregators), *extra])
        if not at_once:
            _mine_every(client, BLOCK_TIME_S)
        record = DevnetRecord(
            rpc=anvil.url,
            chain_id=DEVNET_CHAIN_ID,
            market=deployment.market,
            storage_rpc=storage.api,
            storage_peer=ContentStore(storage.api).addresses()[0],
            accounts={name: str(holder) for name, holder in holders.items()},
            password_file=f"{_KEYS}/{accounts.PASSWORD_FILE}",
            supervisor=ProcessRecord.of(os.getpid()),
            chain=ProcessRecord.of(anvil.pid),
            storage=ProcessRecord.of(storage.pid),
        )
        _write_settings(directory, record)
        record.save(directory)
        try:
            yield record
        finally:
            (directory / NAME).unlink(missing_ok=True)


def keystore_of(directory: Path, name: str) -> Path:
    """The keystore of a devnet's account."""
    return directory / _KEYS / f"{name}.json"


def _claim(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (directory / NAME).exists():
        return
    if any(process.runs() for process in DevnetRecord.load(directory).processes()):
        raise FairshareError(
            Reason.REFUSED,
            f"a devnet runs in {directory} already",
            "`fairshare devnet down` ends it; or name another directory with --dir",
        )


def _deploy(client: ChainClient, directory: Path) -> Deployment:
    with (
        TemporaryDirectory(prefix="fairshare-") as scratch,  # the journal of a chain that is new each time
        Journal(Path(scratch) / "journal.sqlite") as journal,
        TransactionSender(
            client, public_account(0), journal, lock_directory=Path(scratch), poll_s=0.02
        ) as sender,
    ):
        deployment = deploy(sender)
    deployment.save(directory / "deployment.json")
    return deployment


def _mine_every(client: ChainClient, seconds: int) -> None:
    with translated_errors("set the block time"):
        client.web3.manager.request_blocking(RPCEndpoint("evm_setAutomine"), [False])
        client.web3.manager.request_blocking(RPCEndpoint("evm_setIntervalMining"), [seconds])


def _write_settings(directory: Path, record: DevnetRecord) -> None:
    """fairshare.toml: commands run in the devnet's directory need no further options."""
    lines = [
        f"rpc = {json.dumps(record.rpc)}",
        f"chain_id = {record.chain_id}",
        f"market = {json.dumps(record.market)}",
        f"password_file = {json.dumps(record.password_file)}",
        'state_dir = "state"',
        f"peers = [{json.dumps(record.storage_peer)}]",
        "",
        "[project]",
        f"storage = {json.dumps(record.storage_rpc)}",
        f'keystore = "{_KEYS}/owner.json"',
        "",
    ]
    (directory / "fairshare.toml").write_text("\n".join(lines), "utf8")
