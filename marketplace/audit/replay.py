"""Replays a project's events against the rules of docs/protocol.md: the market's state machine, from outside.

Every event is held against what the rules allow at its place; what they demand besides is derived anew. A
violation does not stop the replay: it goes on with what the chain says, so that all are found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.audit import (
    rules_challenge,
    rules_complaint,
    rules_dispute,
    rules_members,
    rules_result,
    rules_round,
    rules_sketch,
    rules_stated,
)
from marketplace.audit.book import Book, Movement, Recorded, name_of
from marketplace.audit.history import History
from marketplace.audit.members import Members
from marketplace.audit.rounds import RoundReplay, Theme, Violation
from marketplace.chain import events as e
from marketplace.chain.types import Address, Challenge, Project, Status

_RULES: dict[type[e.Event], Callable[..., None]] = {  # (book, event, its block's timestamp)
    e.ProjectCreated: rules_members.created,
    e.TrainerJoined: rules_members.trainer_joined,
    e.TrainerLeft: rules_members.trainer_left,
    e.AggregatorJoined: rules_members.aggregator_joined,
    e.AggregatorLeft: rules_members.aggregator_left,
    e.DrawScheduled: rules_members.draw_scheduled,
    e.ProjectStarted: rules_members.started,
    e.RoundOpened: rules_round.opened,
    e.UpdateSubmitted: rules_round.submitted,
    e.ReferenceSubmitted: rules_round.reference_submitted,
    e.BatchPosted: rules_round.batch_posted,
    e.KeyResealed: rules_round.resealed,
    e.UpdatesComplained: rules_complaint.complained,
    e.UpdateAnswered: rules_complaint.answered,
    e.UpdateWithheld: rules_complaint.withheld,
    e.SketchDrawn: rules_sketch.drawn,
    e.ChunksComplained: rules_sketch.chunks_complained,
    e.UpdateChunkAnswered: rules_sketch.chunk_answered,
    e.SketchResultPosted: rules_stated.sketch_stated,
    e.ResultStated: rules_stated.result_stated,
    e.ChunkQuestioned: rules_dispute.chunk_questioned,
    e.SketchQuestioned: rules_dispute.sketch_questioned,
    e.ChunkShown: rules_dispute.chunk_shown,
    e.SketchAnswered: rules_dispute.sketch_answered,
    e.SketchRefuted: rules_dispute.refuted,
    e.TrainerStruck: rules_result.struck,
    e.ResultPosted: rules_result.posted,
    e.RoundSkipped: rules_round.skipped,
    e.RoundClosed: rules_round.closed,
    e.AggregatorTimedOut: rules_round.timed_out,
    e.Challenged: rules_challenge.challenged,
    e.ChallengeAnswered: rules_challenge.answered,
    e.RoundUndone: rules_challenge.undone,
    e.ValidationRevealed: rules_challenge.revealed,
    e.ProjectEnded: rules_members.ended,
    e.Released: rules_members.released,
    e.Claimed: rules_members.claimed,
}
_PENDING = (e.TrainerStruck, e.UpdateWithheld)  # a result or a skip follows, in the same transaction


@dataclass(frozen=True)
class Replay:
    """What the events amount to. Amounts in the token's unit.

    `state`, `challenge`: as they must stand on chain; `outcome_known`: whether the state's `outcome` is derived;
    `standing_answer`: hash of the values of an answer that can be refuted, or zeros; `claimable`: by member, and the
    owner.
    """

    rounds: tuple[RoundReplay, ...]
    state: Project
    outcome_known: bool
    challenge: Challenge
    standing_answer: bytes
    members: Members
    violations: tuple[Violation, ...]
    movements: tuple[Movement, ...]
    records: tuple[Recorded, ...]
    claimable: dict[Address, int]
    slashed: int
    claimed: int

    def about(self, theme: Theme, round: int | None = None, cohort: int | None = None) -> list[Violation]:
        """The violations of one theme, and round, and cohort."""
        return [
            found
            for found in self.violations
            if found.theme is theme and round in (None, found.round) and cohort in (None, found.cohort)
        ]


def replay(history: History) -> Replay:
    """Replays all events; never fails on what they say."""
    book = Book(history)
    for event in history.events:
        _take(book, event)
    _finish(book)
    members = book.members
    accounts = dict.fromkeys((book.standing.owner, *members.numbers, *members.aggregators))
    return Replay(
        rounds=tuple(book.rounds),
        state=book.state(),
        outcome_known=book.links is not None,
        challenge=book.challenge,
        standing_answer=book.standing_answer or bytes(32),
        members=members,
        violations=tuple(book.violations),
        movements=tuple(book.movements),
        records=tuple(book.records),
        claimable={account: book.claimable(account) for account in accounts},
        slashed=book.slashed,
        claimed=book.claimed,
    )


def _take(book: Book, event: e.Event) -> None:
    due, book.due = book.due, None
    if due is not None and (type(event) not in due[0] or event.transaction_hash != due[1]):
        book.wrong(Theme.TIMELINE, f"{name_of(event)} comes where {_names(due[0])} is due")
    if book.standing.status is Status.NONE and not isinstance(event, e.ProjectCreated):
        book.wrong(Theme.TIMELINE, f"{name_of(event)} comes before the project was created")
    rule = _RULES[type(event)]
    rule(book, event, book.history.times.get(event.block_number, 0))
    if isinstance(event, _PENDING):
        book.due = ((*_PENDING, e.ResultPosted, e.RoundSkipped), event.transaction_hash)
    elif book.balance():
        off = book.balance()
        book.wrong(Theme.MONEY, f"{name_of(event)}: {off} came in more than is owed, held or was paid")


def _finish(book: Book) -> None:
    if book.due is not None:
        book.wrong(Theme.TIMELINE, f"{_names(book.due[0])} is missing at the end")
    if book.standing.status is Status.NONE:
        book.wrong(Theme.TIMELINE, "ProjectCreated is missing")
    for round_ in book.rounds:
        for cohort in round_.cohorts:
            cohort.trainers = cohort.trainers or book.seat(cohort)


def _names(kinds: tuple[type[e.Event], ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)
