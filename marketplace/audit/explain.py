"""Why a trainer was paid what it was paid in a round, each step with where it can be checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any

from marketplace.audit.explain_sketch import DisputeShown, SketchShown, dispute_shown, sketch_shown
from marketplace.audit.history import History
from marketplace.audit.reasons import why
from marketplace.audit.replay import replay
from marketplace.audit.rounds import CohortReplay, RoundReplay
from marketplace.audit.settlement import Settlement
from marketplace.audit.whereabouts import Place, place_of_event
from marketplace.chain.events import BatchPosted, UpdateSubmitted
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason
from marketplace.protocol.shares import SHARE_UNIT
from marketplace.storage.cid import from_digest


@dataclass(frozen=True)
class SubmissionShown:
    """What a slot submitted. `position`: order of arrival in the cohort, from 1; 0 where it is not known (yet).

    `digest`: of commitment and trainer; `x`, `y`: the commitment, once the result opened it (on the sketch path: root
    and number of chunks). `update_cid` is that of the sealed update, or, where it came in the aggregator's batch, of
    the batch's list.
    """

    digest: str | None  # 0x-hex; None: in a batch that nobody opened on chain
    batched: bool
    x: int | None
    y: int | None
    update_cid: str
    position: int
    at: Place


@dataclass(frozen=True)
class ScoresShown:
    """A slot's numbers beside those of the others; lists are by slot. With a reference, G's row ends with its entry."""

    gram_row: list[int]
    norm: int
    median_norm: int
    krum_score: int
    krum_scores: list[int]
    median_krum_score: int
    merged_slots: list[int]


@dataclass(frozen=True)
class PayShown:
    """How the amount follows, in the token's unit.

    `amount` = (`pot` - `reference_pot`) * `contribution` // `total_contribution`
    + `reference_pot` * `reference_contribution` // `total_reference_contribution`, where a total of 0 gives nothing.
    `share` in millionths of the pot.
    """

    contribution: int
    total_contribution: int
    reference_contribution: int
    total_reference_contribution: int
    share: int
    budget: int
    from_timeouts: int
    from_strikes: int
    pot: int
    reference_pot: int
    amount: int
    at: Place


@dataclass(frozen=True)
class Explanation:
    """The answer to "why was I paid this". `why` is one line; parts are None where the round never came to them.

    `paid` is 0 for a round that was undone. `sketch` and `disputes` are of the sketch path.
    """

    project: int
    round: int
    trainer: str
    number: int | None
    cohort: int | None
    slot: int | None
    outcome: str
    why: str
    merged: bool
    struck: bool
    slashed: int
    withheld: int  # what it paid for an update that it would not show
    paid: int
    submission: SubmissionShown | None
    scores: ScoresShown | None
    pay: PayShown | None
    sketch: SketchShown | None
    disputes: list[DisputeShown]
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
    cohort, slot = _seat(replayed, trainer)
    settled = cohort.settlement if cohort is not None else None
    scores = pay = None
    if cohort is not None and settled is not None and slot in settled.judgement.present:
        scores = _scores(settled, slot)
        pay = _pay(settled, slot, cohort)
    strikes = [strike for strike in cohort.strikes if strike.trainer == trainer] if cohort else []
    amounts = cohort.posted.amounts if cohort is not None and cohort.posted is not None else ()
    return Explanation(
        project=history.project,
        round=replayed.number,
        trainer=trainer,
        number=cohort.numbers[slot] if cohort is not None else None,
        cohort=cohort.index if cohort is not None else None,
        slot=slot if cohort is not None else None,
        outcome=str(replayed.outcome),
        why=why(history.terms, replayed, cohort, slot),
        merged=settled is not None and slot in settled.judgement.merged,
        struck=bool(strikes),
        slashed=sum(strike.slashed for strike in strikes),
        withheld=sum(other.paid for other in cohort.withheld if other.trainer == trainer) if cohort else 0,
        paid=amounts[slot] if replayed.stands and slot < len(amounts) else 0,
        submission=_submission(cohort, slot) if cohort is not None else None,
        scores=scores,
        pay=pay,
        sketch=sketch_shown(history, replayed, cohort, slot) if history.terms.chunks else None,
        disputes=[dispute_shown(replayed, dispute) for dispute in replayed.disputes],
        block_number=history.block.number,
    )


def _seat(replayed: RoundReplay, trainer: Address) -> tuple[CohortReplay | None, int]:
    for cohort in replayed.cohorts:
        if trainer in cohort.trainers:
            return cohort, cohort.trainers.index(trainer)
    return None, 0


def _submission(cohort: CohortReplay, slot: int) -> SubmissionShown | None:
    event: UpdateSubmitted | BatchPosted | None = cohort.submission_of(slot)
    digest = event.digest if isinstance(event, UpdateSubmitted) else None
    if event is None and cohort.batched >> slot & 1:
        event = cohort.batch
        digest = cohort.received.digests[slot] if cohort.received is not None else None
    if event is None:
        return None
    opened = cohort.commitments[slot] if slot < len(cohort.commitments) else None
    return SubmissionShown(
        digest=None if digest is None else "0x" + digest.hex(),
        batched=isinstance(event, BatchPosted),
        x=opened.x if opened is not None else None,
        y=opened.y if opened is not None else None,
        update_cid=from_digest(event.list if isinstance(event, BatchPosted) else event.blob),
        position=cohort.received.positions[slot] if cohort.received is not None else 0,
        at=place_of_event(event),
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


def _pay(settled: Settlement, slot: int, cohort: CohortReplay) -> PayShown | None:
    if cohort.posted is None:
        return None
    by_rule, along = settled.judgement.contributions, settled.judgement.reference_contributions
    return PayShown(
        contribution=by_rule[slot],
        total_contribution=sum(by_rule),
        reference_contribution=along[slot],
        total_reference_contribution=sum(along),
        share=settled.amounts[slot] * SHARE_UNIT // settled.pot if settled.pot else 0,
        budget=settled.budget,
        from_timeouts=settled.carried,
        from_strikes=settled.pot - settled.budget - settled.carried,
        pot=settled.pot,
        reference_pot=settled.along,
        amount=settled.amounts[slot],
        at=place_of_event(cohort.posted),
    )


_SMALL = frozenset(
    {
        *("project", "round", "number", "cohort", "slot", "block", "block_number", "position", "share"),
        *("width", "chunks", "chunk_length", "chunk"),
    }
)


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, "slot" if name == "merged_slots" else name) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and name not in _SMALL:
        return str(value)
    return value
