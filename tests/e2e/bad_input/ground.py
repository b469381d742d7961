"""What bad input is tried on: one chain, one market with its projects, and whoever comes along with wrong things."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from web3.types import RPCEndpoint

from marketplace.chain import deployment, keystore
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.events import ProjectCreated, decode_log
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NO_PERMIT, Terms
from marketplace.devnet import accounts
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import Reason
from marketplace.learning.data import save_npz
from marketplace.node.journal import Journal
from marketplace.node.options import Settings
from marketplace.node.session import Session, open_session
from marketplace.owner.checked import check_project
from marketplace.owner.post import post
from marketplace.spec import ProjectFile
from marketplace.storage.cid import digest_of
from marketplace.storage.embedded import EmbeddedNode
from tests.support.circuits import circuit_cache
from tests.support.command_line import Said, in_a_process, in_process
from tests.support.deployed import block_for_each_transaction, blocks_each_second
from tests.support.live_market import SLOTS, iris, project_file

# Longer than any run of the suite: what is open stays open, however slow the machine.
JOIN_WINDOW_S = UNBONDING_S = 86_400
NAMES = ("owner", "stranger", "pauper", "spender")
# What a command that starts and is refused may leave: an empty journal, keys of its own, the lock of its account,
# and in folders of the state directory a storage node, its ledger, a key that waits for the project to be joined.
IDLE_FOLDERS = {"storage", "pins", "encryption"}
IDLE = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "encryption.key", "log.jsonl")


@dataclasses.dataclass
class Ground:
    """A chain, a market, an owner's session whose storage node serves everybody."""

    folder: Path
    rpc: str
    market: str
    owner: Session
    storage: str
    posted: dict[str, int] = dataclasses.field(default_factory=dict)

    def environment(self, name: str, home: Path) -> dict[str, str]:
        """FAIRSHARE_* settings of a process that acts as `name` and keeps its state below `home`."""
        return {
            "FAIRSHARE_RPC": self.rpc,
            "FAIRSHARE_MARKET": self.market,
            "FAIRSHARE_STORAGE": self.storage,
            "FAIRSHARE_KEYSTORE": str(self.folder / "keys" / f"{name}.json"),
            "FAIRSHARE_PASSWORD_FILE": str(self.folder / "keys" / accounts.PASSWORD_FILE),
            "FAIRSHARE_STATE_DIR": str(home / "state"),
            "FAIRSHARE_CACHE_DIR": str(self.owner.cache),
        }

    def project(self, name: str, **changes: object) -> int:
        """The project of that name, posted on the first call with `changes` to the usual file."""
        if name not in self.posted:
            folder = self.folder / name
            write_project(folder, project_file(**{"rounds.join_window": JOIN_WINDOW_S, **changes}))
            checked = check_project(folder / "project.toml")
            with block_for_each_transaction(self.owner.client):
                done = post(self.owner, checked, again=True, say=lambda _: None)
            self.posted[name] = done.project
        return self.posted[name]

    def hostile(self, name: str, spec: bytes, change: Callable[[Terms], Terms] = lambda terms: terms) -> int:
        """A project whose terms are those of the usual one but for `change`, and which names `spec`."""
        if name not in self.posted:
            client = self.owner.client
            cid = self.owner.store.add(spec)
            terms = change(dataclasses.replace(client.terms(self.project("open")), spec=digest_of(cid)))
            call = client.market.functions.create(terms.to_abi(), NO_PERMIT.to_abi())
            escrow = terms.reward + terms.reveal_bond
            with block_for_each_transaction(client):
                receipt = self.owner.sender.send(f"hostile:{name}", call, value=escrow)
            events = [decode_log([ProjectCreated], log) for log in receipt.logs]
            self.posted[name] = next(e.project for e in events if isinstance(e, ProjectCreated))
        return self.posted[name]

    def spec(self, **changes: Mapping[str, object] | str) -> bytes:
        """The usual project's spec, canonical, with fields replaced by section."""
        from marketplace.node.project import fetch_spec

        client = self.owner.client
        spec = fetch_spec(self.owner.store, client.terms(self.project("open")).spec)
        document = json.loads(spec.to_bytes())
        for section, fields in changes.items():
            document[section] = fields if isinstance(fields, str) else {**document[section], **fields}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()

    def set_balance(self, name: str, amount: int) -> None:
        """Gives an account exactly `amount` wei."""
        holder = keystore.address_in(self.folder / "keys" / f"{name}.json")
        request = self.owner.client.web3.manager.request_blocking
        request(RPCEndpoint("anvil_setBalance"), [holder, hex(amount)])

    def transactions_since(self, block: int) -> int:
        """How many transactions blocks after `block` hold, and how many wait."""
        eth = self.owner.client.web3.eth
        last = self.owner.client.latest_block().number
        mined = sum(len(eth.get_block(number)["transactions"]) for number in range(block + 1, last + 1))
        return mined + len(eth.get_block("pending")["transactions"])


@dataclasses.dataclass
class Visitor:
    """Someone with an empty home who calls the command line; each refusal must leave everything as it was."""

    ground: Ground
    home: Path
    name: str = "stranger"

    def call(self, *arguments: str, **settings: str) -> Said:
        """Runs a command; `settings`: FAIRSHARE_* by lower-case name, empty for none."""
        return in_process(arguments, self.environment(**settings), self.home)

    def refused(self, *arguments: str, reason: Reason, named: Sequence[str] = (), **settings: str) -> Said:
        """Runs a command that must be refused, in this process."""
        return self._refused(in_process, arguments, reason, named, settings)

    def refused_process(
        self, *arguments: str, reason: Reason, named: Sequence[str] = (), **settings: str
    ) -> Said:
        """Runs a command that must be refused, in a process of its own."""
        return self._refused(in_a_process, arguments, reason, named, settings)

    def environment(self, **settings: str) -> dict[str, str]:
        """The visitor's settings, with changes."""
        changed = {f"FAIRSHARE_{name.upper()}": value for name, value in settings.items()}
        whole = {**self.ground.environment(self.name, self.home), **changed}
        return {name: value for name, value in whole.items() if value}

    def _refused(
        self,
        run: Callable[[Sequence[str], Mapping[str, str], Path], Said],
        arguments: Sequence[str],
        reason: Reason,
        named: Sequence[str],
        settings: Mapping[str, str],
    ) -> Said:
        block = self.ground.owner.client.latest_block().number
        before = contents(self.home)
        said = run(arguments, self.environment(**settings), self.home)
        said.assert_refused(reason, named, json_wanted="--json" in arguments)
        assert self.ground.transactions_since(block) == 0
        assert_nothing_but_idle_files(self.home, before)
        return said


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below `folder`."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_nothing_but_idle_files(home: Path, before: Mapping[Path, bytes]) -> None:
    """What was there is unchanged; what is new, an idle start makes too."""
    after = contents(home)
    for path, content in before.items():
        if path.name not in IDLE:
            assert after.get(path) == content, f"{path} was changed"
    for path in after.keys() - before.keys():
        below = path.relative_to(home).parts
        fine = (
            path.name in IDLE
            or (below[0] == "state" and not IDLE_FOLDERS.isdisjoint(below))
            or (below[0] == ".cache" and path.suffix == ".lock" and not after[path])
        )
        assert fine, f"{path} was left"
    for path in home.rglob("journal.sqlite"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
            (signed,) = journal.execute("SELECT count(*) FROM transactions").fetchone()
            names = {name for (name,) in journal.execute("SELECT name FROM records").fetchall()}
            (blobs,) = journal.execute("SELECT count(*) FROM blobs").fetchone()
        assert (signed, names - {"seed"}, blobs) == (0, set(), 0)


def write_project(folder: Path, file: ProjectFile) -> Path:
    """A project.toml and its two sets in a new folder."""
    folder.mkdir(parents=True)
    held_out = iris(SLOTS)[1]
    save_npz(folder / "evaluation.npz", held_out.rows(np.arange(0, 30, 2)))
    save_npz(folder / "validation.npz", held_out.rows(np.arange(1, 30, 2)))
    path = folder / "project.toml"
    path.write_text(file.to_toml())
    return path


@contextmanager
def open_ground(folder: Path) -> Iterator[Ground]:
    """Starts everything; ends everything."""
    with Anvil() as anvil, EmbeddedNode(folder / "storage") as storage:
        client = ChainClient(anvil.url).connect()
        accounts.create(client, folder / "keys", NAMES)
        with (
            Journal(folder / "deploy.sqlite") as journal,
            TransactionSender(client, public_account(0), journal, lock_directory=folder) as sender,
        ):
            market = deployment.deploy(sender, unbonding_delay_s=UNBONDING_S).market
        settings = Settings(
            rpc=(anvil.url,),
            market=market,
            storage=storage.api,
            peers=(),
            keystore=folder / "keys" / "owner.json",
            password_file=folder / "keys" / accounts.PASSWORD_FILE,
            state_dir=folder / "state",
            cache_dir=circuit_cache(),
        )
        with open_session(settings, "owner") as owner:
            ground = Ground(folder, anvil.url, market, owner, storage.api)
            ground.set_balance("pauper", 10**15)
            blocks_each_second(client)
            yield ground
