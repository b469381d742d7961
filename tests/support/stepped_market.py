"""Trainer daemons on a real market, stepped by hand: anvil, real commitments and openings, storage in memory.

The aggregator is played by the test, settlement is on demand: nothing is proved, everything else is real.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from web3.types import RPCEndpoint

from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import Deployment
from marketplace.chain.events import Event, UpdateSubmitted, fetch
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address, Arrivals, Block, Project, RoundResult, Status, address
from marketplace.devnet.anvil import public_account
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node import logging
from marketplace.node.arrivals import arrivals, positions
from marketplace.node.clock import ChainClock
from marketplace.node.journal import Journal
from marketplace.node.models import fetch_current
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext, load_project
from marketplace.node.seats import cohort_trainers
from marketplace.node.session import Session
from marketplace.node.signatures import signed_by
from marketplace.owner.checked import check_project
from marketplace.owner.post import post
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import judge, mask
from marketplace.spec import ProjectFile
from marketplace.spec.template import template
from marketplace.storage.cid import digest_of, from_digest
from marketplace.updates.batch import Batch
from marketplace.updates.codec import pack_model
from marketplace.updates.envelope import OpenedUpdate, open_update
from marketplace.updates.sealing import EncryptionKey
from tests.support.circuits import circuit_cache
from tests.support.local_store import LocalStore
from trainer_node.behaviour import Attack, Behaviour
from trainer_node.challenging import Doubt
from trainer_node.daemon import TrainerDaemon
from trainer_node.submitting import Worker
from zk import curve

SLOTS, FAULTS = 6, 1
OWNER, AGGREGATORS, FIRST_TRAINER = 0, (1, 2), 3  # anvil's accounts
CONTACT = b"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGzBfqyvNKAJFAMH6hyxRnSdVtzsEDXsTLfnxcdBQHHXb"
WINDOWS = {
    "join": 1000,
    "submit": 1000,
    "answer": 400,
    "result": 1000,
    "challenge": 400,
}


# A small project on the sketch path: 1,603 parameters in 7 chunks, sketches of 256 numbers.
SKETCHED: dict[str, object] = {
    "task__kind": "mlp",
    "task__hidden": 200,
    "task__pool": 1,
    "task__trained": "all",
    "arithmetic__path": "sketch",
    "arithmetic__width": 256,
    "arithmetic__chunk_length": 256,
}


class Shelf(LocalStore):
    """One shelf that everybody reads, until something on it is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        if cid in self.hidden:
            raise FairshareError(Reason.UNAVAILABLE, f"nobody serves {cid} in time")
        return super().fetch(cid, max_bytes=max_bytes, timeout_s=timeout_s)

    def connect(self, multiaddress: str) -> None:
        """Nothing to connect."""

    def addresses(self) -> list[str]:
        return []


class PollingClock(ChainClock):
    """Blocks are made by the test: nothing to subscribe to."""

    def _subscribe(self) -> None:
        return


@dataclass
class Ground:
    """A market without projects."""

    url: str
    deployment: Deployment
    folder: Path
    store: Shelf = field(default_factory=Shelf)
    confirmations: int | None = None  # that nodes wait for; None: none, as on any local chain

    @contextmanager
    def session(self, account: int) -> Iterator[Session]:
        """A member's session; opened again it goes on with the same journal, as a restarted node does."""
        client = self.deployment.client(self.url, confirmations=self.confirmations).connect()
        home = self.folder / f"account-{account}"
        home.mkdir(exist_ok=True)
        key = public_account(account)
        stop = threading.Event()
        with (
            Journal(home / "journal.sqlite") as journal,
            TransactionSender(
                client, key, journal, lock_directory=self.folder / "locks", poll_s=0.01, stop=stop
            ) as sender,
        ):
            yield Session(client, self.store, key, journal, sender, home, circuit_cache(), stop)  # type: ignore[arg-type]

    def post(self, **changes: object) -> int:
        """A project on iris; `changes` by "section__field"."""
        document = ProjectFile.from_toml(template("softmax")).model_dump(exclude_none=True)
        defaults: dict[str, object] = {
            "task__features": 4,
            "task__classes": 3,
            "cohort__slots": SLOTS,
            "cohort__faults": FAULTS,
            "cohort__trainers": SLOTS,
            "rounds__count": 2,
            "scoring__rule": "projection",
            "scoring__fallback_rule": "projection",
            "scoring__reference_share": 0,
            "stakes__reveal": "0",
            "settlement__mode": "on-demand",
            "training__epochs": 1,
            **{f"rounds__{name}_window": seconds for name, seconds in WINDOWS.items()},
        }
        for name, value in {**defaults, **changes}.items():
            section, field_name = name.split("__")
            document.setdefault(section, {})[field_name] = value
        document.pop("validation", None)
        document["evaluation"] = {"sha256": "00" * 32}
        document["reward"]["amount"] = str(document["reward"]["amount"])
        with replace(self, confirmations=None).session(OWNER) as session:  # no block comes by itself
            folder = session.home / f"project-{session.client.project_count()}"
            folder.mkdir()
            (folder / "project.toml").write_text(
                ProjectFile.model_validate(document, strict=False).to_toml(), encoding="utf8"
            )
            project = post(
                session, check_project(folder / "project.toml"), again=True, say=lambda _: None
            ).project
            if self.confirmations:
                session.client.web3.provider.make_request(
                    RPCEndpoint("anvil_mine"), [hex(self.confirmations)]
                )
            return project


@dataclass
class Aggregator:
    """An aggregator in the hands of a test."""

    context: ProjectContext
    sender: TransactionSender
    key: EncryptionKey
    _sent: int = 0

    @property
    def client(self) -> MarketClient:
        return self.context.client

    @property
    def state(self) -> Project:
        return self.client.project(self.context.project)

    def send(self, name: str, *arguments: object) -> None:
        """One call of the market."""
        self._sent += 1
        call = getattr(self.client.market.functions, name)(*arguments)
        self.sender.send(f"{name}:{self.context.project}:{self._sent}", call)

    def join(self, contact: bytes = CONTACT) -> None:
        """With the bond that the terms ask for."""
        terms = self.context.terms
        deposit = self.client.vault.contract.functions.deposit(terms.token, terms.aggregator_bond)
        self.sender.send(f"deposit:{self.context.project}", deposit, terms.aggregator_bond)
        self.send("joinAsAggregator", self.context.project, self.key.public, contact, [])

    def arrivals(self, batch: Batch | None = None, cohort: int = 0) -> Arrivals:
        return arrivals(self.client, self.context.project, self.state.round, cohort, SLOTS, batch=batch)

    def trainers(self, cohort: int = 0) -> tuple[Address | None, ...]:
        """By slot."""
        state = self.state
        return cohort_trainers(self.client, self.context.project, state, SLOTS, state.round, cohort)

    def complain(self, slots: int) -> None:
        self.send("complain", self.context.project, self.state.round, 0, slots, self.arrivals().to_abi())

    def opened(self, batch: Batch | None = None, cohort: int = 0) -> dict[int, OpenedUpdate]:
        """Updates that are served, by slot."""
        found, trainers = {}, self.trainers(cohort)
        context, round_ = self.context, self.state.round
        blobs = {e.slot: (e.digest, e.blob) for e in batch.entries} if batch else {}
        for event in fetch(self.client, [UpdateSubmitted], context.project, round_):
            if event.cohort == cohort:
                blobs[event.slot] = (event.digest, event.blob)
        for slot, (digest, cid) in blobs.items():
            bound_to = context.update_context(round_, trainers[slot] or "")
            try:
                blob = context.store.fetch(from_digest(cid), max_bytes=10**6, timeout_s=1)
            except FairshareError:
                continue
            found[slot] = open_update(blob, self.key, bound_to, digest, context.length)
        return found

    def result(
        self,
        updates: Mapping[int, OpenedUpdate],
        lie: int = 0,
        batch: Batch | None = None,
        cohort: int = 0,
        publish: Callable[[bytes], bytes] = lambda packed: packed,
    ) -> RoundResult:
        """The result that follows; `lie` is added to the first update's square; `publish`: the model's file."""
        context, state = self.context, self.state
        known = self.arrivals(batch, cohort)
        matrix = gram([updates[s].update if s in updates else None for s in range(SLOTS)])
        signed = signed_by(self.client, context.project, state.round, self.trainers(cohort))
        judged = judge(
            context.rules,
            matrix,
            updates,
            positions(known, SLOTS, batch.slots if batch else 0, signed),
        )
        model = fetch_current(context, state, self.client.latest_block().number, 1)
        merged = apply_updates(model, [updates[slot].update for slot in judged.merged])
        self.model = merged
        triangle = [to_felt(entry) for entry in matrix.triangle]
        triangle[0] += lie
        zero = context.committer.zero
        points = [updates[s].commitment if s in updates else zero for s in range(SLOTS)]
        return RoundResult(
            round=state.round,
            cohort=cohort,
            merged=mask(judged.merged),
            median_score_slot=judged.median_score_slot,
            median_norm_slot=judged.median_norm_slot,
            model=digest_of(context.store.add(publish(pack_model(merged)))),
            before=curve.x_bytes(state.model),
            neighbours=tuple(mask(near) for near in judged.neighbours),
            gram=tuple(triangle),
            arrivals=known,
            proof=b"".join(curve.to_bytes(point) for point in points),
        )

    def post(self, result: RoundResult) -> None:
        self.send("postResult", self.context.project, result.to_abi())


@dataclass
class Play:
    """One project: its trainers' daemons and its aggregators."""

    ground: Ground
    project: int
    stack: ExitStack
    trainers: dict[int, TrainerDaemon]
    aggregators: list[Aggregator]
    _members: dict[int, ExitStack] = field(default_factory=dict)

    @property
    def client(self) -> MarketClient:
        return self.aggregators[0].client

    @property
    def state(self) -> Project:
        return self.client.project(self.project)

    def add_trainer(self, index: int, attack: Attack | None = None, demand_rate: float = 0.0) -> None:
        """Starts trainer `index`'s node, or starts it again."""
        self.stop_trainer(index)
        members = self.stack.enter_context(ExitStack())
        session = members.enter_context(self.ground.session(FIRST_TRAINER + index))
        key = EncryptionKey.from_bytes(bytes([index + 1]) * 32)
        context = load_project(session.client, session.store, self.project, session.cache).with_key(key)
        log = logging.logger(trainer=index)
        clock = members.enter_context(PollingClock(session.client, poll_s=0.01))
        self._members[index] = members
        self.trainers[index] = TrainerDaemon(
            context=context,
            sender=session.sender,
            journal=session.journal,
            clock=clock,
            key=key,
            peers=PeerBook(context, log),
            log=log,
            worker=Worker(iris_part(index), index, "cpu", Behaviour(attack)),
            doubt=Doubt(demand_rate, index),
        )

    def stop_trainer(self, index: int) -> None:
        if index in self._members:
            self._members.pop(index).close()
            del self.trainers[index]

    def at(self, timestamp: int) -> Block:
        """A block at this time, or now if it has passed."""
        block = self.client.latest_block()
        if timestamp > block.timestamp:
            request = self.client.web3.provider.make_request
            request("evm_setNextBlockTimestamp", [timestamp])  # type: ignore[arg-type]
        self.client.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
        return self.client.latest_block()

    def step(self, timestamp: int = 0) -> None:
        """Every trainer looks at a new block. Storage that lacks something is what tests are about."""
        for trainer in self.trainers.values():
            self.at(timestamp)
            try:
                trainer.step()
            except FairshareError as error:
                if error.reason is not Reason.UNAVAILABLE:
                    raise

    def start(self, contact: bytes = CONTACT) -> None:
        """Everybody joins, and round 1 opens."""
        for aggregator in self.aggregators:
            aggregator.join(contact)
        self.step()
        if self.state.status is Status.OPEN:
            self.aggregators[0].send("start", self.project)
        if self.state.status is Status.DRAWING:
            self.at(0)
            self.aggregators[0].send("draw", self.project)
        assert self.state.status is Status.ACTIVE

    def submit(self) -> None:
        """Everybody submits, and the window closes; then the updates are served."""
        round_ = self.state.round
        self.step()
        if self.client.latest_block().timestamp < self.state.submit_deadline:
            self.at(self.state.submit_deadline)
        assert self.state.round == round_
        self.step()

    def events(self, kind: type[Event]) -> list[Event]:
        return fetch(self.client, [kind], self.project)


def iris_part(index: int, parts: int = 8) -> Dataset:
    """A part of scikit-learn's iris, standardised."""
    from sklearn.datasets import load_iris

    data = load_iris()
    features = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(features))
    return Dataset(features[order], data.target[order].astype(np.int64)).rows(np.arange(index, 150, parts))


@contextmanager
def play(
    ground: Ground,
    *,
    trainers: int = SLOTS,
    attacks: Mapping[int, Attack] | None = None,
    demand_rate: float = 0.0,
    **changes: object,
) -> Iterator[Play]:
    """A posted project with its members ready to join."""
    project = ground.post(cohort__trainers=trainers, **changes)
    ground.store.hidden.clear()  # projects on the same data make the same models
    with ExitStack() as stack:
        aggregators = []
        for account in AGGREGATORS:
            session = stack.enter_context(ground.session(account))
            context = load_project(session.client, session.store, project, session.cache)
            key = EncryptionKey.generate()
            aggregators.append(Aggregator(context.with_key(key), session.sender, key))
        made = Play(ground, project, stack, {}, aggregators)
        for index in range(trainers):
            made.add_trainer(index, (attacks or {}).get(index), demand_rate)
        yield made


def trainer_address(index: int) -> str:
    return address(public_account(FIRST_TRAINER + index).address)
