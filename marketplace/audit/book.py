"""The book that a replay keeps while it walks through a project's events."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.audit.history import History
from marketplace.audit.members import Members
from marketplace.audit.rounds import CohortReplay, Outcome, RoundReplay, Theme, Violation
from marketplace.audit.standing import Standing, no_challenge
from marketplace.chain import events as e
from marketplace.chain.types import NATIVE_COIN, Address, Challenge, ChallengeKind, Project, ScoreRule, Status
from marketplace.chain.types import Outcome as Link
from marketplace.node.outcomes import chain_of
from marketplace.node.seats import cohort_numbers
from marketplace.protocol.krum import quorum
from zk.curve import INFINITY, Point


@dataclass(frozen=True)
class Movement:
    """Stake that an event must have moved in the vault, in the same transaction."""

    kind: type[e.Event]  # Locked, Unlocked, Slashed or Transferred
    account: Address
    to: Address | None  # of a transfer
    amount: int
    transaction_hash: bytes


@dataclass(frozen=True)
class Recorded:
    """What an event must have written into the reputation registry, in the same transaction."""

    transaction_hash: bytes
    kind: type[e.Event]
    account: Address
    value: int  # contribution, results, or 1 for an aggregator's fault


class Book:
    """Where the project stands, and what was found wrong so far.

    `due`: the events of which one must come next, in this transaction. `links`: outcomes of `standing.outcome_round`;
    None where what a result gives cannot be told. Amounts in the token's smallest unit.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.terms = history.terms
        self.quorum = quorum(self.terms.slots, self.terms.faults)
        self.zero = history.circuit.zero if history.circuit is not None else INFINITY
        self.members = Members(self.terms)
        self.standing = Standing.before(history.state.owner, self.terms)
        self.challenge: Challenge = no_challenge()
        self.rounds: list[RoundReplay] = []
        self.links: list[Link] | None = []
        self.due: tuple[tuple[type[e.Event], ...], bytes] | None = None
        self.pending: list[e.TrainerStruck | e.UpdateWithheld] = []
        self.violations: list[Violation] = []
        self.movements: list[Movement] = []
        self.records: list[Recorded] = []
        self.question: e.ChunkQuestioned | e.SketchQuestioned | None = None  # its challenge follows
        self.asked: set[tuple[ChallengeKind, bytes]] = set()  # with the hash of its facts: each once
        self.standing_answer = b""  # hash of the values of an answer that can be refuted
        self.reveal_bond = 0  # in the market's hands, and nobody's yet
        self.slashed = self.claimed = 0

    @property
    def current(self) -> RoundReplay | None:
        """The newest round."""
        return self.rounds[-1] if self.rounds else None

    @property
    def is_sketched(self) -> bool:
        """Whether proofs run over sketches (docs/sketch.md): commitments are (root, J)."""
        return self.terms.chunks != 0

    @property
    def inputs(self) -> int:
        """Slots that a complaint can be about: K, and one for a reference."""
        return self.terms.slots + (self.terms.score_rule is ScoreRule.REFERENCE)

    def state(self) -> Project:
        """The project as it must stand on chain."""
        challenged = self.challenge.kind is not ChallengeKind.NONE
        return self.standing.project(self.members, self.outcome_chain() or bytes(32), challenged=challenged)

    def outcome_chain(self) -> bytes | None:
        """The hash over the outcomes that can be undone; None where they cannot be told."""
        return None if self.links is None else chain_of(self.links) if self.links else bytes(32)

    def wrong(self, theme: Theme, message: str, cohort: int | None = None) -> None:
        """Notes a violation, in the newest round."""
        self.wrong_in(self.rounds[-1].number if self.rounds else 0, theme, message, cohort)

    def wrong_in(self, number: int, theme: Theme, message: str, cohort: int | None = None) -> None:
        """Notes a violation in a round that there is, or 0."""
        self.violations.append(Violation(theme, number, cohort, message))

    def require(
        self, holds: bool, theme: Theme, event: e.Event, message: str, cohort: int | None = None
    ) -> None:
        """Notes a violation by `event` unless `holds`."""
        if not holds:
            self.wrong(theme, f"{name_of(event)}: {message}", cohort)

    def in_round(self, event: e.Event, round: int) -> RoundReplay | None:
        """The round under way, if it is the one that `event` speaks of."""
        current = self.current
        open_ = current is not None and current.outcome is Outcome.OPEN and current.number == round
        active = self.standing.status is Status.ACTIVE
        self.require(open_ and active, Theme.TIMELINE, event, f"round {round} was not under way")
        return current if open_ else None

    def in_cohort(self, event: e.Event, round: int, cohort: int) -> CohortReplay | None:
        """The cohort that `event` speaks of, if its round is under way and without an end."""
        current = self.in_round(event, round)
        if current is None:
            return None
        known = 0 <= cohort < len(current.cohorts)
        found = current.cohorts[cohort] if known else None
        open_ = found is not None and not found.concluded
        self.require(open_, Theme.TIMELINE, event, f"cohort {cohort} was not under way")
        if found is not None:
            found.touched = True
        return found if open_ else None

    def seat(self, cohort: CohortReplay) -> tuple[Address | None, ...]:
        """The trainers by slot, as they are now."""
        return tuple(self.members.holder(number) for number in cohort.numbers)

    def new_cohorts(self, round: int) -> tuple[CohortReplay, ...]:
        """The cohorts of a round that opens."""
        state, model = self.state(), self.standing.model
        return tuple(
            CohortReplay(index, cohort_numbers(state, self.terms.slots, round, index), model, model)
            for index in range(state.cohorts)
        )

    def aggregator(self, index: int | None = None) -> Address | None:
        """By place in the list; None: the current one."""
        place, listed = self.standing.aggregator_index if index is None else index, self.members.aggregators
        return listed[place] if 0 <= place < len(listed) else None

    def require_turn(self, event: e.Event, time: int, aggregator: Address | None = None) -> None:
        """Notes a violation unless somebody's turn, `aggregator`'s if it is named, is not over."""
        in_time = time < self.standing.result_deadline
        self.require(in_time, Theme.TIMELINE, event, "the aggregator's deadline had passed")
        if aggregator is not None:
            turn = self.aggregator() == aggregator
            self.require(turn, Theme.TIMELINE, event, f"it was not {aggregator}'s turn")

    def require_unchallenged(self, event: e.Event) -> None:
        """Notes a violation while a challenge is open."""
        self.require(self.challenge.kind is ChallengeKind.NONE, Theme.TIMELINE, event, "a challenge was open")

    def require_answered(self, event: e.Event, time: int, cohort: CohortReplay) -> None:
        """Notes a violation while answers to complaints may still come."""
        over = not cohort.complained or time >= self.standing.answer_deadline
        self.require(over, Theme.COMPLAINTS, event, "answers could still come", cohort.index)

    def set_window(self, submit_deadline: int) -> None:
        """Sets the submit deadline and what follows from it."""
        self.standing.submit_deadline = self.standing.turn_start = submit_deadline
        self.standing.result_deadline = submit_deadline + self.terms.result_window

    def keep_window(self, deadline: int) -> None:
        """No update of the round under way is due before the challenge of the last one has an end."""
        if self.standing.status is Status.ACTIVE and self.standing.submit_deadline < deadline:
            self.set_window(deadline)

    def close_if_complete(self, current: RoundReplay, time: int) -> None:
        """The last awaited submission closes the window at once, but not before the challenge deadline."""
        by_reference = self.terms.score_rule is ScoreRule.REFERENCE and not self.standing.revealed
        if by_reference and current.reference is None:
            return
        awaited = min(self.terms.slots, self.members.trainer_count)
        for cohort in current.cohorts:
            if not cohort.touched or len(cohort.submissions) < awaited:
                return
        self.set_window(max(time, self.standing.challenge_deadline))

    @property
    def lost(self) -> bool:
        """Whether no aggregator is left."""
        return self.standing.aggregator_index >= len(self.members.aggregators)

    @property
    def owes_reveal(self) -> bool:
        """Whether a reference came in, and its owner has not revealed what it was made with."""
        p = self.standing
        return p.reference_round != 0 and not p.revealed and self.terms.reveal_bond != 0

    def is_provisional(self, time: int) -> bool:
        """Whether what the latest results brought may still be undone."""
        p = self.standing
        if p.status not in (Status.ACTIVE, Status.CLOSING):
            return False
        running = p.round == p.outcome_round and p.status is Status.ACTIVE
        return time < p.challenge_deadline or self.challenge.kind is not ChallengeKind.NONE or running

    def claimable(self, account: Address) -> int:
        """What an account may claim once nothing can be challenged."""
        p, members = self.standing, self.members
        amount = members.earnings(account) - members.claimed.get(account, 0)
        stayed = account in members.numbers and account not in members.left
        if stayed and not p.revealed:  # a bonus there is only once a bond is forfeited
            amount += p.bonus
        if account == p.owner:
            amount += p.owner_credit
            if p.status is Status.HALTED and not p.revealed and not p.reference_round:
                amount += self.terms.reveal_bond
        return amount

    def moves(
        self,
        kind: type[e.Event],
        account: Address,
        amount: int,
        event: e.Event,
        *,
        to: Address | None = None,
        always: bool = False,
    ) -> None:
        """Notes what the vault must have moved; nothing, unless the market asks it to move nothing."""
        if amount or always:
            self.movements.append(Movement(kind, account, to, amount, event.transaction_hash))

    def slash(self, event: e.Event, account: Address, slashed: int, due: int) -> None:
        """Takes what is due of an account's stake; a token that shrinks may bring less."""
        fits = slashed == due or (self.terms.token != NATIVE_COIN and 0 <= slashed <= due)
        self.require(fits, Theme.MONEY, event, f"it took {slashed}, not {due}")
        self.members.take(account, due)
        self.moves(e.Slashed, account, due, event)
        self.slashed += slashed

    def move_model(self, event: e.ResultPosted | e.RoundUndone) -> None:
        """Goes on with the commitment that the chain says."""
        self.standing.model = Point(event.x, event.y)

    def balance(self) -> int:
        """What came into the project less what it owes and has paid: 0 at every step.

        reward + reveal bond + slashed = earned + owner's credit + escrow + pot, and a reveal bond that is nobody's yet.
        """
        p, members = self.standing, self.members
        came = p.came + self.slashed
        bonus = 0 if p.revealed else p.bonus * members.trainer_count
        owed = sum(members.earned) + sum(members.fees) + bonus + p.credited
        return came - owed - p.escrow - p.pot - self.reveal_bond


def name_of(event: e.Event) -> str:
    """An event and where it stands, in words."""
    return f"{type(event).__name__} in transaction 0x{event.transaction_hash.hex()}"
