"""The owner's daemon for one project: files served, references made, models guarded, overdue moves, reveal, refund."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.chain.events import Event
from marketplace.chain.looks import Habit
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node.clock import ChainClock
from marketplace.node.dues import collect_dues
from marketplace.node.journal import Journal
from marketplace.node.lifecycle import is_transient
from marketplace.node.logging import Logger
from marketplace.node.membership import RACES, move_on
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.node.reorganisation import is_over_for_good, on_chain
from marketplace.node.session import Session
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry
from marketplace.owner.checked import ValidationSet, load_validation
from marketplace.owner.path import Path, path_of
from marketplace.owner.post import VALIDATION, keep_files
from marketplace.owner.reference_duty import ReferenceDuty
from marketplace.owner.watch import OVER, RoundModel, Watch
from marketplace.spec.validation import commitment
from marketplace.storage.cid import from_digest
from marketplace.storage.reasons import Purpose

PATIENCE_S = 5  # before the owner makes a move that anyone may make


@dataclass(frozen=True)
class Secret:
    """The validation set and the salt of its commitment on chain, 32 bytes."""

    validation: ValidationSet
    salt: bytes


@dataclass
class OwnerNode:
    """One owner at work for one project. `reference` and `secret`: with the reference rule."""

    watch: Watch
    sender: TransactionSender
    journal: Journal
    log: Logger
    reference: ReferenceDuty | None
    secret: Secret | None
    telemetry: Telemetry = NO_TELEMETRY
    _path: Path = field(init=False)
    _habit: Habit = field(default_factory=Habit, init=False)

    def __post_init__(self) -> None:
        self._path = path_of(self.context)

    @property
    def context(self) -> ProjectContext:
        """The project."""
        return self.watch.context

    @property
    def peers(self) -> PeerBook:
        """Whom the models come from."""
        return self.watch.peers

    def step(self) -> bool:
        """Waits for a block and does what it calls for; False when the project is over."""
        seen = self.watch.wait()
        if seen is None:
            return True
        project, block = seen
        self.telemetry.saw(self.context.project, project, block)
        try:
            self.sender.look_back()
            with self.context.client.looking(block, self._habit):
                return self._look(project, block)
        except FairshareError as error:
            # As in `ProjectDaemon.step`.
            if is_transient(error) or on_chain(self.context.client, block):
                raise
            self.log.warning("reorganised meanwhile", block=block.number, problem=error.message)
            return True

    def _look(self, project: Project, block: Block) -> bool:
        context = self.watch.context
        self._path.guard(self, project, block)  # before what cannot go on without the model
        self._path.stand_in(self, project, block)
        if project.status is Status.ACTIVE and self.reference is not None:
            self._refer(self.reference, project, block)  # early: fetching a model may take a while
        wanted = context.terms.reveal_bond and not project.revealed
        if project.status is Status.CLOSING and wanted and self.secret is not None:
            reveal(context, self.sender, self.secret, self.log)
        self.watch.follow(block)
        if project.status in OVER:
            collect_dues(context, self.sender, block, self.log)
            if not is_over_for_good(context, project, block) or not self.sender.is_settled:
                return True
            self.log.info("project over", status=project.status.name.lower())
            return False
        move_on(context, self.sender, project, block, self.log, patience_s=PATIENCE_S)
        return True

    def _refer(self, reference: ReferenceDuty, project: Project, block: Block) -> None:
        """A model that cannot be had yet is asked for again with the next block; other duties go on."""
        try:
            reference.act(project, block)
        except FairshareError as error:
            if error.reason is not Reason.UNAVAILABLE:
                raise
            self.log.warning("reference waits", round=project.round, problem=error.message)


def owner_node(
    session: Session,
    context: ProjectContext,
    clock: ChainClock,
    secret: Secret | None,
    log: Logger,
    *,
    evaluation: Dataset | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    on_model: Callable[[RoundModel], None] = lambda model: None,
) -> OwnerNode:
    """The node of a session for one project; `secret`: see `secret_of`. The rest as `Watch`."""
    peers = PeerBook(context, log)
    keep_files(context.store, context.project, from_digest(context.terms.spec), context.spec)
    duty = None
    if secret is not None:
        validation = secret.validation.dataset
        duty = ReferenceDuty(
            context, session.sender, session.journal, peers, log, validation, session.telemetry
        )
    watch = Watch(context, clock, peers, evaluation, on_event, on_model)
    return OwnerNode(watch, session.sender, session.journal, log, duty, secret, session.telemetry)


def require_owner(project: Project, number: int, account: str) -> None:
    """REFUSED unless the account posted the project."""
    if project.owner != account:
        raise FairshareError(
            Reason.REFUSED,
            f"project {number} is {project.owner}'s, not this account's",
            "use the keystore that posted it; `fairshare project watch` needs none",
        )


def secret_of(context: ProjectContext, journal: Journal, file: pathlib.Path | None) -> Secret | None:
    """What the journal of the posting node knows of the validation set; `file` in place of where it was then.

    None where the project has no reference. Raises NOT_FOUND for another node's journal, BAD_DATA, INTEGRITY where
    the file is not the one that the project was posted with.
    """
    if context.spec.validation is None:
        return None
    kept = journal.get(context.project, 0, VALIDATION)
    if kept is None:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"this node did not post project {context.project}: it has not the salt of the validation set",
            "use the state directory that the project was posted from",
        )
    salt = bytes.fromhex(kept["salt"])
    validation = load_validation(file or pathlib.Path(kept["file"]), context.task)
    if commitment(validation.digest, salt) != context.spec.validation.commitment:
        raise FairshareError(
            Reason.INTEGRITY,
            f"{validation.path} is not the validation set that the project was posted with",
            "give that file with --validation",
        )
    return Secret(validation, salt)


def reveal(context: ProjectContext, sender: TransactionSender, secret: Secret, log: Logger) -> bool:
    """As `reveal_now`; False where the project's state no longer allows it, which is only reported."""
    try:
        cid = reveal_now(context, sender, secret)
    except FairshareError as error:
        if error.reason not in RACES:
            raise
        log.warning("reveal refused", problem=error.message)
        return False
    log.info("revealed the validation set", cid=cid)
    return True


def reveal_now(context: ProjectContext, sender: TransactionSender, secret: Secret) -> str:
    """Publishes the validation set and opens its commitment on chain; its CID."""
    why = context.why(0, Purpose.VALIDATION)
    cid = context.store.add(secret.validation.path.read_bytes(), why)
    market, number = context.client.market.functions, context.project
    sender.send(f"reveal:{number}", market.reveal(number, secret.validation.digest, secret.salt))
    return cid
