"""How challenges of a round's results must be, their answers, what silence undoes, and the validation set's reveal."""

from __future__ import annotations

import dataclasses

from eth_utils.crypto import keccak

from marketplace.audit.book import Book, Recorded, name_of
from marketplace.audit.rounds import CohortReplay, Dispute, Outcome, RoundReplay, Theme
from marketplace.audit.rules_dispute import facts_digest, open_dispute
from marketplace.chain import events as e
from marketplace.chain.types import Challenge, ChallengeKind, Settlement, Status
from marketplace.chain.types import Outcome as Link
from marketplace.node.outcomes import hashed_statement
from marketplace.protocol.sketch_check import SUM
from zk.curve import Point

_EXACT = (ChallengeKind.MODEL, ChallengeKind.PROOF)
_SKETCHED = (ChallengeKind.PROOF, ChallengeKind.CHUNK, ChallengeKind.SKETCH)
_QUESTIONS = (ChallengeKind.CHUNK, ChallengeKind.SKETCH)


def challenged(book: Book, event: e.Challenged, time: int) -> None:
    p, terms = book.standing, book.terms
    there = book.links is None or book.links
    over = there and (p.outcome_round != p.round or p.status is Status.CLOSING)
    alive = p.status in (Status.ACTIVE, Status.CLOSING)
    proof = event.kind is ChallengeKind.PROOF
    question = _question(book, event)
    known = 0 <= event.cohort < p.cohorts
    bit = 1 if event.kind is ChallengeKind.MODEL else 2 << event.cohort if known and proof else 0
    marks = book.challenge.answered if book.challenge.round == p.outcome_round else 0
    link = next((link for link in book.links or () if link.cohort == event.cohort), None)
    problems = [
        (alive and bool(over) and event.round == p.outcome_round, "there was no such result to challenge"),
        (time < p.challenge_deadline, "the challenge window was over"),
        (event.kind in (_SKETCHED if book.is_sketched else _EXACT) and known, "there is no such challenge"),
        (question is not None or event.kind not in _QUESTIONS, "it does not say what is asked"),
        (not marks & bit, "there was one of its kind already"),
        (not proof or terms.settlement is Settlement.ON_DEMAND, "every result comes with its proof"),
        (not proof or link is not None or book.links is None, "that cohort had no result"),
        (question is None or _cohort_asked(question) == event.cohort, "it is about another cohort"),
        (event.deadline == time + terms.answer_window, "its deadline is not that of the terms"),
    ]
    book.require_unchallenged(event)
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    book.challenge = Challenge(
        kind=event.kind,
        challenger=event.challenger,
        deadline=event.deadline,
        accused=p.outcome_index
        if link is None or _is_of_round(event.kind, question)
        else link.aggregator_index,
        round=p.outcome_round,
        answered=marks | bit,
        statement=_statement(book, event, link, question),
    )
    book.keep_window(event.deadline)
    book.moves(e.Locked, event.challenger, terms.complaint_deposit, event, always=True)
    round_ = _round(book, event.round)
    if round_ is not None:
        round_.challenges.append(event)
        cohort = _cohort(round_, event)
        if cohort is not None:
            cohort.demand = event
        if question is not None:
            round_.disputes.append(Dispute(event, question))


def _question(book: Book, event: e.Challenged) -> e.ChunkQuestioned | e.SketchQuestioned | None:
    """What a challenge on the sketch path asks: announced just before it."""
    question, book.question = book.question, None
    if question is None or question.transaction_hash != event.transaction_hash:
        return None
    kind = ChallengeKind.CHUNK if isinstance(question, e.ChunkQuestioned) else ChallengeKind.SKETCH
    return question if kind is event.kind else None


def _cohort_asked(question: e.ChunkQuestioned | e.SketchQuestioned) -> int:
    return question.facts.cohort


def _is_of_round(kind: ChallengeKind, question: e.ChunkQuestioned | e.SketchQuestioned | None) -> bool:
    """Whether a challenge is not about one cohort's result: the last one's aggregator is accused."""
    if isinstance(question, e.SketchQuestioned):
        return question.facts.slot == SUM
    return kind is ChallengeKind.MODEL


def _statement(
    book: Book,
    event: e.Challenged,
    link: Link | None,
    question: e.ChunkQuestioned | e.SketchQuestioned | None,
) -> bytes:
    """What the challenge's answer is held to."""
    if question is not None:
        return facts_digest(question.facts)
    if event.kind is not ChallengeKind.PROOF or link is None:
        return book.challenge.statement
    if not book.is_sketched:
        return link.statement
    round_ = _round(book, event.round)
    cohort = _cohort(round_, event) if round_ is not None else None
    if cohort is None or cohort.statement is None:
        return bytes(32)
    return hashed_statement(cohort.statement.commitments, cohort.statement.gram)


def answered(book: Book, event: e.ChallengeAnswered, time: int) -> None:
    p, open_ = book.standing, book.challenge
    closes = open_.kind is ChallengeKind.SKETCH
    dispute = open_dispute(book, event.round)
    shown = dispute is not None and dispute.shown is not None
    problems = [
        (open_.kind is not ChallengeKind.NONE and event.kind is open_.kind, "there was no such challenge"),
        (event.round == p.outcome_round, "it is about another round"),
        (closes or time < open_.deadline, "it came too late"),
        (not closes or time >= open_.deadline, "its answer could still be refuted"),
        (not closes or bool(book.standing_answer), "no answer stood"),
        (open_.kind is not ChallengeKind.CHUNK or shown, "no chunk was shown"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    round_ = _round(book, event.round)
    book.standing_answer = b""
    if dispute is not None:
        dispute.closed = event
    if round_ is not None and event.kind is ChallengeKind.MODEL:
        round_.model_answer = event
    elif round_ is not None and round_.challenges and event.kind is ChallengeKind.PROOF:
        cohort = _cohort(round_, round_.challenges[-1])
        if cohort is not None:
            cohort.proof = event
    book.challenge = dataclasses.replace(open_, kind=ChallengeKind.NONE)
    p.challenge_deadline += time + book.terms.answer_window - open_.deadline
    book.keep_window(p.challenge_deadline)
    accused = book.aggregator(open_.accused)
    if accused is not None:
        deposit = book.terms.complaint_deposit
        book.moves(e.Transferred, open_.challenger, deposit, event, to=accused, always=True)


def undone(book: Book, event: e.RoundUndone, time: int) -> None:
    p, open_ = book.standing, book.challenge
    accused = book.aggregator(open_.accused)
    problems = [
        (open_.kind is not ChallengeKind.NONE, "no challenge was open"),
        (time >= open_.deadline, "an answer could still come"),
        (not book.standing_answer, "an answer stood that nobody had refuted"),
        (event.round == p.outcome_round, "another round was challenged"),
        (event.aggregator == accused, f"{accused} was challenged, not {event.aggregator}"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    _restore(book, event)
    deposit = book.terms.complaint_deposit
    book.moves(e.Unlocked, open_.challenger, deposit, event, always=True)
    reward = min(deposit, book.members.locked.get(event.aggregator, 0))
    book.members.take(event.aggregator, reward)
    book.moves(e.Transferred, event.aggregator, reward, event, to=open_.challenger)
    book.slash(event, event.aggregator, event.slashed, book.members.locked.get(event.aggregator, 0))
    p.pot += event.slashed
    p.last_round += 2 if p.status is Status.ACTIVE else 1
    p.outcome_round, book.links = 0, []
    p.challenge_deadline = time
    book.challenge = dataclasses.replace(open_, kind=ChallengeKind.NONE)
    if open_.accused == p.aggregator_index:
        p.aggregator_index += 1
    book.records.append(Recorded(event.transaction_hash, e.FaultRecorded, event.aggregator, 1))
    for round_ in book.rounds:
        if round_.number == event.round:
            round_.outcome, round_.undone = Outcome.UNDONE, event
        elif round_.outcome is Outcome.OPEN:
            round_.outcome = Outcome.VOID
            for cohort in round_.cohorts:
                cohort.trainers = cohort.trainers or book.seat(cohort)
    p.status = Status.ACTIVE
    ends = e.RoundClosed if book.owes_reveal else e.ProjectEnded
    book.due = ((ends if book.lost else e.RoundOpened,), event.transaction_hash)


def _restore(book: Book, event: e.RoundUndone) -> None:
    """Earnings, escrow and the model's commitment are what they were before the round's first result."""
    p, members = book.standing, book.members
    round_ = _round(book, event.round)
    results = round_.results if round_ is not None else []
    held = p.escrow + p.pot
    for cohort in results:
        result = cohort.posted
        if result is None:
            continue
        for number, amount in zip(cohort.numbers, result.amounts, strict=False):
            if amount and number is not None and number < len(members.earned):
                members.earned[number] -= amount
        index = _index(book, result)
        if index is not None:
            members.fees[index] -= result.fee
        held += result.fee + sum(result.amounts)
    if not results or results[0].posted is None:
        book.wrong(Theme.TIMELINE, f"{name_of(event)}: round {event.round} had no result")
        return
    p.escrow = results[0].posted.escrow
    p.pot = held - p.escrow
    message = "the model's commitment is not the one before the round"
    book.require(Point(event.x, event.y) == results[0].before, Theme.MODEL, event, message, results[0].index)
    book.move_model(event)


def _index(book: Book, result: e.ResultPosted) -> int | None:
    listed = book.members.aggregators
    return listed.index(result.aggregator) if result.aggregator in listed else None


def revealed(book: Book, event: e.ValidationRevealed, time: int) -> None:
    p, terms = book.standing, book.terms
    problems = [
        (p.status is Status.CLOSING, "the last round was not over"),
        (not p.revealed, "it was revealed already"),
        (keccak(event.validation + event.salt) == terms.validation, "it is not what the terms commit to"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    p.revealed = True
    p.credit(terms.reveal_bond)
    book.reveal_bond = 0


def _round(book: Book, number: int) -> RoundReplay | None:
    return next((round_ for round_ in reversed(book.rounds) if round_.number == number), None)


def _cohort(round_: RoundReplay, event: e.Challenged) -> CohortReplay | None:
    about = event.kind is ChallengeKind.PROOF and 0 <= event.cohort < len(round_.cohorts)
    return round_.cohorts[event.cohort] if about else None
