"""A market that runs for real in a test: anvil, the contracts, a Kubo node for each role, and the daemons in threads.

One market serves many projects, so that a suite pays for its start once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from web3.types import RPCEndpoint

from aggregator.behaviour import Attack as AggregatorAttack
from aggregator.duty import Duty
from aggregator.intake import Intake
from aggregator.listening import listening
from marketplace.chain import deployment
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.sender import TransactionSender
from marketplace.devnet import accounts
from marketplace.devnet.anvil import Anvil
from marketplace.learning.data import Dataset, save_npz
from marketplace.node import logging
from marketplace.node.clock import ChainClock
from marketplace.node.journal import Journal
from marketplace.node.keyring import KeyRing
from marketplace.node.lifecycle import keep_going
from marketplace.node.options import Settings
from marketplace.node.peers import PeerBook
from marketplace.node.previews import Market
from marketplace.node.project import load_project
from marketplace.node.project_keys import own_key, owner_context
from marketplace.node.session import Session, open_session
from marketplace.owner.checked import check_project
from marketplace.owner.node import owner_node, secret_of
from marketplace.owner.post import post
from marketplace.spec import ProjectFile
from marketplace.spec.template import template
from tests.support.deployed import block_for_each_transaction, blocks_each_second
from tests.support.live_time import RestingClock, pass_time
from tests.support.outcome import Outcome, outcome_of
from trainer_node.behaviour import Attack, Behaviour
from trainer_node.challenging import Doubt
from trainer_node.daemon import TrainerDaemon
from trainer_node.submitting import Worker

SLOTS, FAULTS, ROUNDS = 6, 1, 2
UNBONDING_S = 600


def iris(parts: int) -> tuple[list[Dataset], Dataset]:
    """scikit-learn's iris, standardised: a part for each trainer, and one for the owner's two sets."""
    from sklearn.datasets import load_iris

    data = load_iris()
    features = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(features))
    whole = Dataset(features[order], data.target[order].astype(np.int64))
    held_out = whole.rows(np.arange(30))
    return [whole.rows(np.arange(30 + i, 150, parts)) for i in range(parts)], held_out


PROJECTION: dict[str, object] = {  # a project without an owner's reference
    "scoring.rule": "projection",
    "scoring.reference_share": 0,
    "stakes.reveal": "0",
}


# On the sketch path: 1,603 parameters in 7 chunks, sketches of 256 numbers.
SKETCHED: dict[str, object] = {
    "task.kind": "mlp",
    "task.hidden": 200,
    "task.pool": 1,
    "task.trained": "all",
    "arithmetic.path": "sketch",
    "arithmetic.width": 256,
    "arithmetic.chunk_length": 256,
}


def project_file(**changes: object) -> ProjectFile:
    """A small project on iris; `changes` by "section.field" (`PROJECTION`: without the reference rule)."""
    document = ProjectFile.from_toml(template("softmax")).model_dump(exclude_none=True)
    defaults: dict[str, object] = {
        "task.features": 4,
        "task.classes": 3,
        "cohort.slots": SLOTS,
        "cohort.trainers": SLOTS,
        "cohort.faults": FAULTS,
        "rounds.count": ROUNDS,
        "rounds.join_window": 300,
        "rounds.submit_window": 12,
        "rounds.answer_window": 8,
        "rounds.result_window": 30,
        "rounds.challenge_window": 6,
        "training.epochs": 3,
        "training.clip_norm": 8.0,
    }
    for name, value in {**defaults, **changes}.items():
        section, field_name = name.split(".")
        document.setdefault(section, {})[field_name] = value
    document["reward"]["amount"] = str(document["reward"]["amount"])
    if document["scoring"]["rule"] != "reference":
        del document["validation"]
    return ProjectFile.model_validate(document, strict=False)


@dataclass
class LiveMarket:
    """Sessions of an owner, trainers and aggregators on one chain."""

    folder: Path
    rpc: str
    deployment: deployment.Deployment
    owner: Session
    trainers: list[Session]
    aggregators: list[Session]
    intakes: list[tuple[Intake, str]]  # by aggregator: where trainers hand over to it
    parts: list[Dataset]
    members: ExitStack

    def hand_over(self) -> None:
        """Close the members' sessions, so that processes may run with their keys."""
        self.members.close()
        self.owner.sender.close()

    def environment(self, name: str, state_dir: Path) -> dict[str, str]:
        """FAIRSHARE_* settings for a process that acts as `name`."""
        keys = self.folder / "keys"
        return {
            "FAIRSHARE_RPC": self.rpc,
            "FAIRSHARE_MARKET": self.deployment.market,
            "FAIRSHARE_KEYSTORE": str(keys / f"{name}.json"),
            "FAIRSHARE_PASSWORD_FILE": str(keys / accounts.PASSWORD_FILE),
            "FAIRSHARE_STATE_DIR": str(state_dir),
            "FAIRSHARE_CACHE_DIR": str(self.owner.cache),
            "FAIRSHARE_PEERS": self.owner.store.addresses()[0],
        }

    def post(self, file: ProjectFile) -> int:
        """Post a project with iris' evaluation and validation set."""
        folder = self.folder / f"project-{self.owner.client.project_count()}"
        folder.mkdir()
        held_out = iris(SLOTS)[1]
        save_npz(folder / "evaluation.npz", held_out.rows(np.arange(0, 30, 2)))
        save_npz(folder / "validation.npz", held_out.rows(np.arange(1, 30, 2)))
        (folder / "project.toml").write_text(file.to_toml())
        checked = check_project(folder / "project.toml")
        with block_for_each_transaction(self.owner.client):
            return post(self.owner, checked, again=True, say=lambda _: None).project

    def run(
        self,
        project: int,
        attacks: Mapping[int, Attack] | None = None,
        aggregator_attacks: Mapping[int, AggregatorAttack] | None = None,
        timeout_s: float = 240.0,
    ) -> Outcome:
        """Run every role until the project is over. Trainers join in order, so trainer i has number i; as many as
        the project has places."""
        stop, failures = threading.Event(), []
        clocks: list[RestingClock] = []  # of those that are at work

        def role(step_of: object, session: Session) -> None:
            with RestingClock(session.client, stop=stop, poll_s=0.2) as clock:
                clocks.append(clock)
                try:
                    keep_going(step_of(clock), stop=stop, log=logging.logger(project=project))  # type: ignore[operator]
                except BaseException as error:
                    failures.append(error)
                    raise
                finally:
                    clocks.remove(clock)

        threads = [threading.Thread(target=role, args=(self._owner(project), self.owner))]
        threads[0].start()
        for index, session in enumerate(self.aggregators):
            attack = (aggregator_attacks or {}).get(index)
            duty = self._duty(index, project, attack)
            threads.append(threading.Thread(target=role, args=(duty, session)))
            self._start_and_wait(threads[-1], lambda i=index: self._aggregators(project) > i)  # type: ignore[misc]
        for number, session in enumerate(self.trainers[: self.owner.client.terms(project).trainers]):
            daemon = self._daemon(session, project, number, (attacks or {}).get(number))
            threads.append(threading.Thread(target=role, args=(daemon, session)))
            self._start_and_wait(threads[-1], lambda i=number: self._joined(project) > i)  # type: ignore[misc]
        give_up_at = time.monotonic() + timeout_s
        while any(thread.is_alive() for thread in threads) and time.monotonic() < give_up_at:
            if not pass_time(self.owner.client.web3, tuple(clocks)):
                time.sleep(0.02)
        unfinished = [thread for thread in threads if thread.is_alive()]
        stop.set()
        for thread in unfinished:
            thread.join(30)
        assert not failures, failures
        assert not unfinished, "the project did not end in time"
        return self.outcome(project)

    def outcome(self, project: int) -> Outcome:
        """What the chain says of a project."""
        return outcome_of(self.owner.client, project)

    def _start_and_wait(self, thread: threading.Thread, joined: Callable[[], bool]) -> None:
        """A block for each transaction, until it has joined: joining is not what takes time here."""
        web3 = self.owner.client.web3
        thread.start()
        while thread.is_alive() and not joined():
            if web3.eth.get_block_transaction_count("pending"):
                web3.provider.make_request(RPCEndpoint("evm_mine"), [])
            thread.join(0.05)

    def _joined(self, project: int) -> int:
        return self.owner.client.project(project).trainer_count

    def _aggregators(self, project: int) -> int:
        return self.owner.client.project(project).aggregator_count

    def _owner(self, project: int) -> object:
        session, log = self.owner, logging.logger(project=project, role="owner")
        context = load_project(session.client, session.store, project, session.cache)
        context = owner_context(session, context)
        secret = secret_of(context, session.journal, None)

        def step_of(clock: ChainClock) -> object:
            return owner_node(session, context, clock, secret, log).step

        return step_of

    def _daemon(self, session: Session, project: int, slot: int, attack: Attack | None) -> object:
        log = logging.logger(project=project, role=f"trainer-{slot}")
        key = own_key(session, project)
        context = load_project(session.client, session.store, project, session.cache).with_key(key)

        def step_of(clock: ChainClock) -> object:
            return TrainerDaemon(
                context=context,
                sender=session.sender,
                journal=session.journal,
                clock=clock,
                key=key,
                keys=KeyRing(session.home),
                worker=Worker(self.parts[slot], slot, "cpu", Behaviour(attack)),
                doubt=Doubt(0.0, slot),
                peers=PeerBook(context, log),
                log=log,
            ).step

        return step_of

    def _duty(self, index: int, project: int, attack: AggregatorAttack | None) -> object:
        session, (intake, url) = self.aggregators[index], self.intakes[index]
        log = logging.logger(project=project, role="aggregator")
        key = own_key(session, project)
        context = load_project(session.client, session.store, project, session.cache).with_key(key)

        def step_of(clock: ChainClock) -> object:
            return Duty(
                context=context,
                sender=session.sender,
                journal=session.journal,
                clock=clock,
                key=key,
                keys=KeyRing(session.home),
                contact=session.store.addresses()[0],
                peers=PeerBook(context, log),
                log=log,
                attack=attack,
                url=url if context.terms.batch_window else None,
                desk=intake.desk(project) if context.terms.batch_window else None,
            ).step

        return step_of


@contextmanager
def live_market(
    folder: Path, cache: Path, *, trainers: int = SLOTS, aggregators: int = 2
) -> Iterator[LiveMarket]:
    """Start everything; stop everything at the end. `cache`: of circuits, may be shared between runs."""
    logging.configure(file=folder / "log.jsonl")
    with ExitStack() as stack:
        anvil = stack.enter_context(Anvil())
        client = ChainClient(anvil.url).connect()
        names = accounts.names(trainers, aggregators)
        accounts.create(client, folder / "keys", names)
        with Journal(folder / "deploy.sqlite") as journal:
            from marketplace.devnet.anvil import public_account

            with TransactionSender(client, public_account(0), journal, lock_directory=folder) as sender:
                deployed = deployment.deploy(sender, unbonding_delay_s=UNBONDING_S)
        blocks_each_second(client)
        members = stack.enter_context(ExitStack())
        sessions = {
            name: (stack if name == "owner" else members).enter_context(
                open_session(_settings(folder, cache, anvil.url, deployed.market, name), name)
            )
            for name in names
        }
        owner = sessions["owner"]
        hub = owner.store.addresses()[0]
        for name, session in sessions.items():
            if name != "owner":
                session.store.connect(hub)
        merging = [sessions[f"aggregator-{i}"] for i in range(aggregators)]
        yield LiveMarket(
            folder,
            anvil.url,
            deployed,
            owner,
            [sessions[f"trainer-{i}"] for i in range(trainers)],
            merging,
            [_intake(session, stack) for session in merging],
            iris(trainers)[0],
            members,
        )


def _intake(session: Session, stack: ExitStack) -> tuple[Intake, str]:
    market = Market(session.client.chain_id, session.client.address)
    intake = Intake(market, session.journal, session.account)
    return intake, f"http://127.0.0.1:{stack.enter_context(listening(intake, '127.0.0.1', 0))}"


def _settings(folder: Path, cache: Path, rpc: str, market: str, name: str) -> Settings:
    return Settings(
        rpc=(rpc,),
        market=market,
        storage=None,
        peers=(),
        keystore=folder / "keys" / f"{name}.json",
        password_file=folder / "keys" / accounts.PASSWORD_FILE,
        state_dir=folder / "state" / name,
        cache_dir=cache,
    )
