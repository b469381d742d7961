"""How questions about chunks and sketches of a round must be, and their answers (docs/sketch.md, "A round")."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from eth_abi.exceptions import EncodingError
from eth_utils.crypto import keccak

from marketplace.audit.book import Book, name_of
from marketplace.audit.chunk_paths import is_under
from marketplace.audit.rounds import CohortReplay, Dispute, RoundReplay, Theme
from marketplace.chain import events as e
from marketplace.chain.types import (
    ChallengeKind,
    ChunkFacts,
    LeafPath,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchStatement,
)
from marketplace.protocol.chunk_tree import Leaf
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.krum import members
from marketplace.protocol.sketch_check import NOTHING, SUM
from zk.curve import SIZE, Point, from_bytes, is_on_curve, moved

_Doubt = e.ChunkQuestioned | e.SketchQuestioned | e.ChunkShown | e.SketchAnswered | e.SketchRefuted

MODEL_WIDTH = 4  # bytes of a number
_WORD = 32


def chunk_questioned(book: Book, event: e.ChunkQuestioned, time: int) -> None:
    """Announced just before its challenge."""
    _questioned(book, event, ChallengeKind.CHUNK)
    facts = event.facts
    link = next((link for link in book.links or () if link.cohort == event.cohort), None)
    statement = _statement(book, event.round, event.cohort)
    problems = [
        (facts.chunk < book.terms.chunks, f"there is no chunk {facts.chunk}"),
        ((facts.round, facts.cohort) == (event.round, event.cohort), "it speaks of another result"),
        (link is not None or book.links is None, "that cohort had no result"),
    ]
    if link is not None and statement is not None:
        due = ChunkFacts(
            round=event.round,
            cohort=event.cohort,
            chunk=facts.chunk,
            before=_root(link.model),
            root=statement.root,
            merged=tuple(statement.roots[slot] for slot in members(statement.merged)),
        )
        problems.append((facts == due, "its roots are not those that the result stated"))
    _require(book, event, problems)


def sketch_questioned(book: Book, event: e.SketchQuestioned, time: int) -> None:
    """Announced just before its challenge."""
    _questioned(book, event, ChallengeKind.SKETCH)
    facts, links = event.facts, book.links
    if links:
        due = _sum_facts(book, event) if facts.slot == SUM else _input_facts(book, event)
        if isinstance(due, str):
            _require(book, event, [(False, due)])
        elif due is not None:
            _require(book, event, [(facts == due, "it is not about what the results stated")])


def _input_facts(book: Book, event: e.SketchQuestioned) -> SketchFacts | str | None:
    """None: the result could not be read; a text: there is nothing to ask about."""
    slot, cohort = event.facts.slot, event.facts.cohort
    if all(link.cohort != cohort for link in book.links or ()):
        return "that cohort had no result"
    statement = _statement(book, event.round, cohort)
    if statement is None:
        return None
    if slot >= book.inputs or not statement.present >> slot & 1:
        return f"slot {slot} was not present"
    return SketchFacts(
        round=event.round,
        cohort=cohort,
        slot=slot,
        seed=book.standing.sketch_seed,
        commitment=from_bytes(statement.commitments[SIZE * slot : SIZE * (slot + 1)]),
        before=NOTHING,
        root=statement.roots[slot],
    )


def _sum_facts(book: Book, event: e.SketchQuestioned) -> SketchFacts | None:
    links = book.links or []
    statements = [_statement(book, event.round, link.cohort) for link in links]
    known = [statement for statement in statements if statement is not None]
    if len(known) < len(links) or not known:
        return None
    return SketchFacts(
        round=event.round,
        cohort=0,
        slot=SUM,
        seed=book.standing.sketch_seed,
        commitment=moved(book.zero, [statement.sum for statement in known], book.zero),
        before=_root(links[0].model),
        root=known[-1].root,
    )


def _questioned(book: Book, event: e.ChunkQuestioned | e.SketchQuestioned, kind: ChallengeKind) -> None:
    hashed = (kind, facts_digest(event.facts))
    fresh = hashed not in book.asked
    book.asked.add(hashed)
    p = book.standing
    problems = [
        (book.is_sketched, "the project has no sketches"),
        (event.round == p.outcome_round, "it is about another round"),
        (fresh, "it was asked already"),
    ]
    _require(book, event, problems)
    book.question = event
    book.due = ((e.Challenged,), event.transaction_hash)


def chunk_shown(book: Book, event: e.ChunkShown, time: int) -> None:
    """The answer to a question of a chunk; its bytes are for `dispute_checks`."""
    dispute = open_dispute(book, event.round)
    question = dispute.question if dispute is not None else None
    if dispute is None or not isinstance(question, e.ChunkQuestioned):
        _require(book, event, [(False, "no chunk was asked about")])
        return
    facts = question.facts
    dispute.shown = event
    book.due = ((e.ChallengeAnswered,), event.transaction_hash)
    said = (event.round, event.cohort, event.chunk)
    size = MODEL_WIDTH * book.terms.chunk_length
    problems = [
        (said == (facts.round, facts.cohort, facts.chunk), "it shows another chunk than the one asked about"),
        (len(event.packed) == size, f"the chunk has {len(event.packed)} bytes, not {size}"),
    ]
    shown = book.history.sketch.chunk(event.transaction_hash)
    if isinstance(shown, str):
        dispute.unread = shown
    else:
        problems.append((shown.packed == event.packed, "its bytes are not those of its transaction"))
        wrong = _wrong_chunk(book, facts, shown, Point(event.x, event.y))
        problems.append((not wrong, wrong))
    _require(book, event, problems)


def _wrong_chunk(book: Book, facts: ChunkFacts, shown: ShownChunk, point: Point) -> str:
    """What is wrong with where a new chunk is said to come from; "" where nothing is."""
    if len(shown.merged) != len(facts.merged):
        return f"{len(shown.merged)} updates' chunks are shown, but {len(facts.merged)} were merged"
    for root, leaf, whose in (
        (facts.before, shown.before, "the old model's"),
        *((root, leaf, "a merged update's") for root, leaf in zip(facts.merged, shown.merged, strict=True)),
    ):
        if not _is_leaf(book, root, facts.chunk, leaf):
            return f"{whose} chunk is not under its root"
    due = moved(shown.before.point, [leaf.point for leaf in shown.merged], book.zero)
    if due != point:
        return "its point is not the old one moved by those of the merged updates"
    new = LeafPath(point, bytes(keccak(shown.packed)), shown.path)
    return "" if _is_leaf(book, facts.root, facts.chunk, new) else "the chunk is not under the new root"


def sketch_answered(book: Book, event: e.SketchAnswered, time: int) -> None:
    """The accused's answer to a question of a sketch: it stands unless it is refuted."""
    p, open_ = book.standing, book.challenge
    dispute = open_dispute(book, event.round)
    asked = dispute is not None and isinstance(dispute.question, e.SketchQuestioned)
    deadline = time + book.terms.answer_window
    values = event.values
    problems = [
        (open_.kind is ChallengeKind.SKETCH and asked, "no sketch was asked about"),
        (time < open_.deadline, "it came too late"),
        (not book.standing_answer, "an answer stands already"),
        (event.deadline == deadline, "its deadline is not that of the terms"),
        (len(values) == book.terms.chunks, f"it has {len(values)} values, not {book.terms.chunks}"),
        (all(0 <= value < FIELD_MODULUS for value in values), "a value is no field element"),
    ]
    _require(book, event, problems)
    if dispute is not None:
        dispute.answer = event
        opening = book.history.sketch.opening(event.transaction_hash)
        if isinstance(opening, str):
            dispute.unread = opening
    book.standing_answer = values_hash(values)
    p.challenge_deadline += event.deadline - open_.deadline
    book.challenge = dataclasses.replace(open_, deadline=event.deadline)
    book.keep_window(event.deadline)


def refuted(book: Book, event: e.SketchRefuted, time: int) -> None:
    """The answer counts as not given; its evidence is for `dispute_checks`."""
    dispute = open_dispute(book, event.round)
    answer = dispute.answer if dispute is not None else None
    stands = bool(book.standing_answer) and answer is not None
    given = (
        answer.values[event.chunk] if answer is not None and 0 <= event.chunk < len(answer.values) else None
    )
    problems = [
        (stands, "no answer stood"),
        (time < book.challenge.deadline, "it came too late"),
        (event.given == given, f"the answer's value of chunk {event.chunk} was {given}"),
        (event.value != event.given, "the value is the one given"),
    ]
    evidence = book.history.sketch.shown(event.transaction_hash)
    if dispute is not None:
        dispute.refuted = event
        question = dispute.question
        if isinstance(evidence, str):
            dispute.unread = evidence
        elif isinstance(question, e.SketchQuestioned):
            wrong = _wrong_evidence(book, question.facts, event.chunk, evidence)
            problems.append((not wrong, wrong))
    _require(book, event, problems)
    book.standing_answer = b""
    book.challenge = dataclasses.replace(book.challenge, deadline=time)


def _wrong_evidence(book: Book, facts: SketchFacts, chunk: int, evidence: SketchEvidence) -> str:
    shown = [(facts.root, evidence.leaf, evidence.packed)]
    if facts.slot == SUM:
        shown.append((facts.before, evidence.before, evidence.packed_before))
    for root, leaf, packed in shown:
        if keccak(packed) != leaf.hash or not _is_leaf(book, root, chunk, leaf):
            return "the chunk that refutes it is not under its root"
    return ""


def _require(book: Book, event: _Doubt, problems: Sequence[tuple[bool, str]]) -> None:
    """Notes violations in the round that is doubted, or where there is none in the newest."""
    for holds, message in problems:
        if holds:
            continue
        text = f"{name_of(event)}: {message}"
        if _round(book, event.round) is None:
            book.wrong(Theme.DISPUTES, text)
        else:
            book.wrong_in(event.round, Theme.DISPUTES, text)


def open_dispute(book: Book, number: int) -> Dispute | None:
    """The question of a round that has no end yet."""
    round_ = _round(book, number)
    last = round_.disputes[-1] if round_ is not None and round_.disputes else None
    return last if last is not None and last.closed is None else None


def facts_digest(facts: ChunkFacts | SketchFacts) -> bytes:
    """`Challenge.statement`; nothing where they do not fit their types, which the derived ones do."""
    try:
        return facts.digest()
    except EncodingError:
        return b""


def values_hash(values: tuple[int, ...]) -> bytes:
    """keccak256 of the words, as the contract keeps an answer."""
    return bytes(keccak(b"".join((value % (1 << 256)).to_bytes(_WORD, "big") for value in values)))


def _is_leaf(book: Book, root: bytes, chunk: int, leaf: LeafPath) -> bool:
    if not is_on_curve(leaf.point):
        return False
    digest = Leaf(leaf.point.x, leaf.point.y, leaf.hash).digest()
    return is_under(root, chunk, book.terms.chunks, digest, leaf.path)


def _statement(book: Book, number: int, index: int) -> SketchStatement | None:
    round_ = _round(book, number)
    known: tuple[CohortReplay, ...] = round_.cohorts if round_ is not None else ()
    return known[index].statement if 0 <= index < len(known) else None


def _round(book: Book, number: int) -> RoundReplay | None:
    return next((round_ for round_ in reversed(book.rounds) if round_.number == number), None)


def _root(commitment: Point) -> bytes:
    return (commitment.x % (1 << 256)).to_bytes(_WORD, "big")
