"""Why a trainer was paid what it was paid in a round, each step with where it can be checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any

from marketplace.audit.history import History
from marketplace.audit.replay import replay
from marketplace.audit.rounds import Outcome, RoundReplay
from marketplace.audit.settlement import Settlement
from marketplace.chain.events import Event
from marketplace.chain.types import Address, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import rules_of
from marketplace.protocol.krum import contribution
from marketplace.storage.cid import from_digest


@dataclass(frozen=True)
class Place:
    """Where something stands on chain."""

    block: int
    transaction: str  # 0x-hex


@dataclass(frozen=True)
class SubmissionShown:
    """What a slot submitted. `position`: order of submission in the round, from 1."""

    x: int
    y: int
    update_cid: str
    position: int
    at: Place


@dataclass(frozen=True)
class ScoresShown:
    """A slot's numbers beside those of the others; lists are by slot."""

    gram_row: list[int]
    norm: int
    median_norm: int
    krum_score: int
    krum_scores: list[int]
    median_krum_score: int
    merged_slots: list[int]


@dataclass(frozen=True)
class PayShown:
    """`amount` = `pot` * `contribution` // `total_contribution`, in the token's unit; `share` in millionths."""

    contribution: int
    total_contribution: int
    share: int
    budget: int
    from_timeouts: int
    from_strikes: int
    pot: int
    amount: int
    at: Place


@dataclass(frozen=True)
class Explanation:
    """The answer to "why was I paid this". `why` is one line; parts are None where the round never came to them."""

    project: int
    round: int
    trainer: str
    slot: int | None
    outcome: str
    why: str
    merged: bool
    struck: bool
    slashed: int
    paid: int
    submission: SubmissionShown | None
    scores: ScoresShown | None
    pay: PayShown | None
    block_number: int  # as of

    def to_dict(self) -> dict[str, Any]:
        """As JSON: integers that may leave 2^53 as decimal strings."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def explain(history: History, trainer: Address, round: int) -> Explanation:
    """Explains a trainer's pay in one round, from G to the amount.

    Raises NOT_FOUND where the project has not had that round.
    """
    found = [replayed for replayed in replay(history).rounds if replayed.number == round]
    if not found:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"project {history.project} has had no round {round}",
            "see its rounds: `fairshare project show`",
        )
    return explain_round(history, found[0], trainer)


def explain_round(history: History, replayed: RoundReplay, trainer: Address) -> Explanation:
    """As `explain`, from a round that is replayed already."""
    slot = next((slot for slot, holder in enumerate(replayed.trainers) if holder == trainer), None)
    submission = replayed.submission_of(slot) if slot is not None else None
    settled = replayed.settlement
    judged = settled is not None and slot is not None and submission is not None
    scores = pay = None
    if settled is not None and slot is not None and judged and slot in settled.judgement.present:
        scores = _scores(settled, slot)
        pay = _pay(settled, slot, replayed)
    return Explanation(
        project=history.project,
        round=replayed.number,
        trainer=trainer,
        slot=slot,
        outcome=str(replayed.outcome),
        why=_why(history.terms, replayed, slot),
        merged=settled is not None and slot in settled.judgement.merged,
        struck=any(strike.trainer == trainer for strike in replayed.strikes),
        slashed=sum(strike.slashed for strike in replayed.strikes if strike.trainer == trainer),
        paid=sum(payment.amount for payment in replayed.payments if payment.trainer == trainer),
        submission=None
        if submission is None
        else SubmissionShown(
            submission.x, submission.y, from_digest(submission.blob), submission.position, _place(submission)
        ),
        scores=scores,
        pay=pay,
        block_number=history.block.number,
    )


def _scores(settled: Settlement, slot: int) -> ScoresShown:
    gram, judgement = settled.gram, settled.judgement
    return ScoresShown(
        gram_row=[gram[slot, other] for other in range(gram.slots)],
        norm=isqrt(gram[slot, slot]),
        median_norm=isqrt(gram[judgement.median_norm_slot, judgement.median_norm_slot]),
        krum_score=judgement.scores[slot],
        krum_scores=list(judgement.scores),
        median_krum_score=judgement.scores[judgement.median_score_slot],
        merged_slots=list(judgement.merged),
    )


def _pay(settled: Settlement, slot: int, replayed: RoundReplay) -> PayShown | None:
    if replayed.posted is None:
        return None
    contributions = settled.judgement.contributions
    return PayShown(
        contribution=contributions[slot],
        total_contribution=sum(contributions),
        share=settled.shares[slot],
        budget=settled.budget,
        from_timeouts=replayed.carried,
        from_strikes=sum(settled.losses.values()),
        pot=settled.pot,
        amount=settled.amounts[slot],
        at=_place(replayed.posted),
    )


def _why(terms: Terms, replayed: RoundReplay, slot: int | None) -> str:
    if slot is None:
        return "it held no slot in this round"
    if replayed.submission_of(slot) is None:
        return "it submitted nothing in this round"
    omitted = (
        replayed.posted.omitted if replayed.posted else replayed.skipped.omitted if replayed.skipped else 0
    )
    if omitted >> slot & 1:
        return "the aggregator left it out as unopenable"
    if replayed.outcome is not Outcome.PROVED:
        return {
            Outcome.OPEN: "the round is not over",
            Outcome.SKIPPED: "the round was skipped: too few updates",
            Outcome.HALTED: "the project halted: no aggregator was left",
        }[replayed.outcome]
    if replayed.settlement is None:
        return "the round's result cannot be read from its transaction"
    return _why_judged(terms, replayed.settlement, slot)


def _why_judged(terms: Terms, settled: Settlement, slot: int) -> str:
    judgement, gram = settled.judgement, settled.gram
    if slot in judgement.oversized:
        return f"its squared norm {gram[slot, slot]} is beyond the project's bound {terms.max_norm_squared}"
    if not judgement.merged:
        return f"only {len(judgement.present)} updates were within the bound: nothing was merged"
    if slot not in judgement.merged:
        rank = sorted(judgement.present, key=lambda i: (judgement.scores[i], i)).index(slot) + 1
        kept, count = len(judgement.merged), len(judgement.present)
        return f"it is too far from the others: Krum score {rank} of {count}, the best {kept} are merged"
    if judgement.contributions[slot]:
        return f"it was merged, with {settled.shares[slot]} millionths of the round's contributions"
    median = isqrt(gram[judgement.median_norm_slot, judgement.median_norm_slot])
    own = contribution(rules_of(terms), gram, slot, judgement.merged, isqrt(gram[slot, slot]), median)
    if own:
        return "it was merged, but is too much like an update that was committed to before it"
    return "it was merged, but points nowhere the others go: it contributed nothing"


def _place(event: Event) -> Place:
    return Place(event.block_number, "0x" + event.transaction_hash.hex())


_SMALL = frozenset({"project", "round", "slot", "block", "block_number", "position", "share"})


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, "slot" if name == "merged_slots" else name) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and name not in _SMALL:
        return str(value)
    return value
