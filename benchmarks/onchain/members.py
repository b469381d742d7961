"""A devnet and its members: the real nodes, each with its own key, journal and storage node, as threads here.

Processes would do the same, but eight trainers would load torch eight times for every project.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from web3.types import RPCEndpoint

from aggregator.duty import Duty
from aggregator.intake import Intake
from aggregator.proof_queue import ProofQueue
from marketplace.chain.types import Project
from marketplace.devnet.local import BLOCK_TIME_S, keystore_of, running_devnet
from marketplace.devnet.record import DevnetRecord
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset, save_npz
from marketplace.node import logging
from marketplace.node.clock import ChainClock
from marketplace.node.lifecycle import keep_going
from marketplace.node.options import Settings
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext, load_project
from marketplace.node.project_keys import own_key
from marketplace.node.session import Session, open_session
from marketplace.owner.checked import check_project
from marketplace.owner.node import owner_node, secret_of
from marketplace.owner.post import post
from marketplace.spec import ProjectFile
from trainer_node.behaviour import Behaviour
from trainer_node.challenging import Doubt
from trainer_node.daemon import TrainerDaemon
from trainer_node.submitting import Worker

POLL_S = 0.2
LOOK_S = 0.5

Step = Callable[[], bool]
StepOf = Callable[[ChainClock], Step]


@dataclass(frozen=True)
class Members:
    """Sessions of everybody on one devnet. `stop`: ends what they wait for; `office`: where the aggregator listens."""

    directory: Path
    owner: Session
    aggregator: Session
    trainers: list[Session]
    stop: threading.Event
    office: tuple[Intake, str] | None = None
    proofs: ProofQueue = field(default_factory=ProofQueue)

    def post(self, file: ProjectFile, validation: Dataset, evaluation: Dataset) -> int:
        """The owner posts a project; its number."""
        folder = self.directory / f"project-{self.owner.client.project_count() + 1}"
        folder.mkdir()
        save_npz(folder / "validation.npz", validation)
        save_npz(folder / "evaluation.npz", evaluation)
        (folder / "project.toml").write_text(file.to_toml(), "utf8")
        checked = check_project(folder / "project.toml")
        with self._blocks_at_once():
            return post(self.owner, checked, again=True, say=lambda _: None).project

    def run(
        self, project: int, parts: Sequence[Dataset], seed: int, look: Callable[[], None], timeout_s: float
    ) -> None:
        """Runs all nodes until the project is over; trainer i has number i. `look` is called now and then.

        Raises what a node that failed raised, what `look` raises, INTERNAL after `timeout_s` seconds.
        """
        give_up_at = time.monotonic() + timeout_s
        nodes: list[Future[None]] = []
        with ThreadPoolExecutor(len(parts) + 2) as pool:
            try:
                with self._blocks_at_once():
                    nodes.append(pool.submit(self._play, self.owner, project, self._owner_node))
                    nodes.append(pool.submit(self._play, self.aggregator, project, self._aggregator_node))
                    self._until(nodes, give_up_at, lambda: self._state(project).aggregator_count == 1)
                    for number, part in enumerate(parts):
                        step_of = self._trainer_node(part, seed * len(parts) + number)
                        nodes.append(pool.submit(self._play, self.trainers[number], project, step_of))
                        joined = functools.partial(self._has_trainers, project, number + 1)
                        self._until(nodes, give_up_at, joined)
                while not all(node.done() for node in nodes):
                    look()
                    self._pause(nodes, give_up_at, LOOK_S)
                self._pause(nodes, give_up_at, 0)
                look()
            except BaseException:
                self.stop.set()
                raise

    def context(self, project: int) -> ProjectContext:
        """The project as the owner knows it."""
        return self._context(self.owner, project)

    def _state(self, project: int) -> Project:
        return self.owner.client.project(project)

    def _has_trainers(self, project: int, count: int) -> bool:
        return self._state(project).trainer_count >= count

    def _until(self, nodes: list[Future[None]], give_up_at: float, condition: Callable[[], bool]) -> None:
        while not condition():
            self._pause(nodes, give_up_at, 0.05)

    def _pause(self, nodes: list[Future[None]], give_up_at: float, seconds: float) -> None:
        done, _ = wait([node for node in nodes if not node.done()], seconds, FIRST_EXCEPTION)
        for node in (*done, *(node for node in nodes if node.done())):
            node.result()
        if time.monotonic() > give_up_at:
            raise FairshareError(
                Reason.INTERNAL, "a project on the devnet did not end in time", "run it again: it goes on"
            )

    def _play(
        self, session: Session, project: int, step_of: Callable[[Session, ProjectContext], StepOf]
    ) -> None:
        context = self._context(session, project)
        with ChainClock(session.client, stop=self.stop, poll_s=POLL_S) as clock:
            log = logging.logger(project=project, account=session.address)
            keep_going(step_of(session, context)(clock), stop=self.stop, log=log)

    def _owner_node(self, session: Session, context: ProjectContext) -> StepOf:
        log = logging.logger(project=context.project, role="owner")
        secret = secret_of(context, session.journal, None)

        def step_of(clock: ChainClock) -> Step:
            return owner_node(session, context, clock, secret, log).step

        return step_of

    def _aggregator_node(self, session: Session, context: ProjectContext) -> StepOf:
        log = logging.logger(project=context.project, role="aggregator")

        def step_of(clock: ChainClock) -> Step:
            return Duty(
                context=context,
                sender=session.sender,
                journal=session.journal,
                clock=clock,
                key=own_key(session, context.project),
                contact=session.store.addresses()[0],
                peers=PeerBook(context, log),
                log=log,
                url=None if self.office is None else self.office[1],
                desk=None if self.office is None else self.office[0].desk(context.project),
                proofs=self.proofs,
            ).step

        return step_of

    def _trainer_node(self, data: Dataset, seed: int) -> Callable[[Session, ProjectContext], StepOf]:
        def node(session: Session, context: ProjectContext) -> StepOf:
            log = logging.logger(project=context.project, role="trainer", seed=seed)

            def step_of(clock: ChainClock) -> Step:
                return TrainerDaemon(
                    context=context,
                    sender=session.sender,
                    journal=session.journal,
                    clock=clock,
                    key=own_key(session, context.project),
                    worker=Worker(data, seed, "cpu", Behaviour(None)),
                    doubt=Doubt(0.0, seed),
                    peers=PeerBook(context, log),
                    log=log,
                ).step

            return step_of

        return node

    def _context(self, session: Session, project: int) -> ProjectContext:
        return load_project(session.client, session.store, project, session.cache)

    @contextlib.contextmanager
    def _blocks_at_once(self) -> Iterator[None]:
        """A block for each transaction, for what is not a round."""
        self._anvil("evm_setAutomine", True)
        try:
            yield
        finally:
            self._anvil("evm_setAutomine", False)
            self._anvil("evm_setIntervalMining", BLOCK_TIME_S)

    def _anvil(self, method: str, argument: object) -> None:
        self.owner.client.web3.manager.request_blocking(RPCEndpoint(method), [argument])


@contextlib.contextmanager
def members(directory: Path, cache: Path, trainers: int) -> Iterator[Members]:
    """A devnet in `directory` with an owner, an aggregator and so many trainers; all ended in the end.

    `cache`: of circuits and keys, which may be shared.
    """
    logging.configure(file=directory / "log.jsonl")
    stop = threading.Event()
    with ExitStack() as stack:
        home = directory / "devnet"
        record = stack.enter_context(running_devnet(home, trainers=trainers, aggregators=1))

        def session(name: str) -> Session:
            settings = _settings(directory, cache, record, name)
            return stack.enter_context(open_session(settings, name, stop=stop))

        yield Members(
            directory,
            session("owner"),
            session("aggregator-0"),
            [session(f"trainer-{number}") for number in range(trainers)],
            stop,
        )


def _settings(directory: Path, cache: Path, record: DevnetRecord, name: str) -> Settings:
    home = directory / "devnet"
    return Settings(
        rpc=(record.rpc,),
        market=record.market,
        storage=record.storage_rpc if name == "owner" else None,
        peers=(record.storage_peer,),
        keystore=keystore_of(home, name),
        password_file=home / record.password_file,
        state_dir=directory / "state" / name,
        cache_dir=cache,
        chain_id=record.chain_id,
    )
