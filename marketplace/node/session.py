"""What a command works with: a connected market, an unlocked key, its storage and its journal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from marketplace.chain import keystore
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import EndpointAway
from marketplace.chain.remote_signer import RemoteSigner
from marketplace.chain.sender import TransactionSender
from marketplace.chain.signer import AnySigner
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.node.journal import Journal
from marketplace.node.lifecycle import patiently
from marketplace.node.logging import logger, tell
from marketplace.node.options import Settings
from marketplace.node.secret_file import secret_in
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry, Work
from marketplace.node.telemetry.metered import MeteredStore
from marketplace.node.telemetry.watchdog import watchdog
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import Housekeeping, KeepingStore
from marketplace.storage.kept_running import kept_running
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.store import ContentStore

PINS = "pins.sqlite"  # beside an embedded node's repo; of repos that are shared, below "pins" in the state directory
JOURNAL = "journal.sqlite"  # in a role's directory
REPO = "storage"  # there too, of an embedded node


@dataclass(frozen=True)
class Session:
    """All that a role's commands need. `home`: see `role_home`."""

    client: MarketClient
    store: KeepingStore
    account: AnySigner
    journal: Journal
    sender: TransactionSender
    home: Path
    cache: Path  # circuits and keys, shared between roles
    stop: threading.Event
    telemetry: Telemetry = NO_TELEMETRY

    @property
    def address(self) -> Address:
        """The account's address."""
        return address(self.account.address)


@contextlib.contextmanager
def open_session(
    settings: Settings,
    role: str,
    *,
    stop: threading.Event | None = None,
    telemetry: Telemetry = NO_TELEMETRY,
    waits: bool = False,
) -> Iterator[Session]:
    """Connects, unlocks the key, opens the journal and starts the embedded storage node where none is named.

    Role and account name its directory, so that nodes on one machine do not share a journal or a storage node.
    `waits`: for a chain that does not answer yet, as a daemon does; logging is configured by then. Everything is closed
    at the end. Raises what `connect`, `unlock`, `Journal` and `open_store` raise; Stopped where it waits in vain.
    """
    stop = stop or threading.Event()
    account = unlock(settings)  # first: it may ask for a password, and nobody is there any more after a wait
    client = _connect_at_last(settings, stop) if waits else connect(settings)
    home = role_home(settings, client, role, address(account.address))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        Journal(home / JOURNAL) as journal,
        open_store(settings, home, telemetry, keeps=True) as store,
        TransactionSender(
            client,
            account,
            journal,
            stop=stop,
            limits=settings.limits,
            at_work=lambda: telemetry.at_work(Work.SENDING),
        ) as sender,
    ):
        yield Session(client, store, account, journal, sender, home, settings.cache_dir, stop, telemetry)


def connect(settings: Settings) -> MarketClient:
    """The market, checked to be there. Raises BAD_INPUT, CHAIN_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT."""
    if settings.market is None:
        raise FairshareError(
            Reason.BAD_INPUT,
            "no market is named",
            "give --deployment or --market, or work in a devnet's directory (`fairshare devnet up`)",
        )
    return MarketClient(
        settings.rpc,
        settings.market,
        expected_chain_id=settings.chain_id,
        from_block=settings.from_block,
        say=tell,
        confirmations=settings.confirmations,
    ).connect()


def _connect_at_last(settings: Settings, stop: threading.Event) -> MarketClient:
    """`connect`, again and again while no endpoint answers; systemd hears meanwhile that this process lives."""
    dog = watchdog()
    with contextlib.nullcontext() if dog is None else dog.fed(lambda: True):
        return patiently(
            lambda: connect(settings),
            stop=stop,
            log=logger(),
            passes=lambda error: isinstance(error, EndpointAway),
        )


def connect_chain(settings: Settings) -> ChainClient:
    """The chain, whatever lives on it. Raises BAD_INPUT, CHAIN_UNREACHABLE, WRONG_CHAIN."""
    return ChainClient(
        settings.rpc,
        expected_chain_id=settings.chain_id,
        say=tell,
        confirmations=settings.confirmations,
    ).connect()


def unlock(settings: Settings) -> AnySigner:
    """The key in the keystore, or the signer that has it. Raises NOT_FOUND, BAD_INPUT, WRONG_PASSWORD, UNAVAILABLE."""
    if settings.signer_url is not None:
        signer = RemoteSigner(settings.signer_url, own_address(settings))
        signer.check()
        return signer
    keystore.address_in(settings.keystore)  # a missing file should not cost a prompt
    return keystore.load(settings.keystore, password(settings))


def own_address(settings: Settings) -> Address:
    """The account's address; needs no password. Raises NOT_FOUND, BAD_INPUT."""
    if settings.signer_url is None:
        return keystore.address_in(settings.keystore)
    try:
        return address(settings.address or "")
    except ValueError as error:
        raise FairshareError(
            Reason.BAD_INPUT,
            "the signer's account is not named"
            if not settings.address
            else f"{settings.address} is no address",
            "give --address, 0x and 40 hex digits, beside --signer-url",
        ) from error


def password(settings: Settings, *, confirm: bool = False) -> str:
    """The keystore's password: from its file, from FAIRSHARE_PASSWORD, or asked for on a terminal."""
    if settings.password_file is not None:
        return secret_in(settings.password_file, "password")
    if "FAIRSHARE_PASSWORD" in os.environ:
        return os.environ["FAIRSHARE_PASSWORD"]
    if not sys.stdin.isatty():
        raise FairshareError(
            Reason.BAD_INPUT,
            "the keystore's password is not known",
            "give --password-file, or set FAIRSHARE_PASSWORD",
        )
    entered = getpass(f"Password of {settings.keystore}: ")
    if confirm and getpass("Again: ") != entered:
        raise FairshareError(Reason.BAD_INPUT, "the two passwords differ", "try again")
    return entered


def role_home(settings: Settings, client: MarketClient, role: str, account: Address) -> Path:
    """An account's directory in a role, for this chain (local chains share an id, not a first block) and market."""
    genesis = client.block(0).hash.hex()[:8]
    market = client.address.lower()[2:12]
    return settings.state_dir / f"{client.chain_id}-{genesis}-{market}" / f"{role}-{account.lower()[2:12]}"


@contextlib.contextmanager
def open_store(
    settings: Settings, home: Path, telemetry: Telemetry = NO_TELEMETRY, *, keeps: bool = False
) -> Iterator[KeepingStore]:
    """The Kubo RPC that is named, or an embedded node with its data in `home`, connected to the peers named.

    `keeps`: with a ledger of what is kept there. A peer that does not answer is only reported. Raises
    STORAGE_UNREACHABLE, BAD_INPUT.
    """
    with contextlib.ExitStack() as stack:
        shared = settings.storage is not None
        api = settings.storage or stack.enter_context(kept_running(EmbeddedNode(home / REPO), tell)).api
        if shared:
            ContentStore(api).ping()
        ledger = None
        if keeps:
            path = _shared_ledger(settings, api) if shared else home / PINS
            holder = str(home.relative_to(settings.state_dir))
            ledger = stack.enter_context(PinLedger(path, holder))
        housekeeping = Housekeeping(ledger, shared, settings.storage_max, settings.providers)
        store = MeteredStore(api, telemetry, housekeeping)
        own = set(store.addresses()) if settings.peers else set()
        for peer in settings.peers:
            if peer in own:
                continue
            try:
                store.connect(peer)
            except FairshareError as error:
                if error.reason is not Reason.UNAVAILABLE:
                    raise
                console.note(f"{error.message} ({error.hint})")
        yield store


def _shared_ledger(settings: Settings, api: str) -> Path:
    """Of a repo that is not one node's own: all nodes with this state directory share its ledger, by its peer ID."""
    return settings.state_dir / "pins" / f"{ContentStore(api).peer_id()}.sqlite"
