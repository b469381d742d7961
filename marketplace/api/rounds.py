"""From chronicles to answers about rounds; pure."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.api import models as m
from marketplace.api.chronicle import (
    Chronicle,
    CohortTold,
    RoundTold,
    numbered,
    outcome_of,
    outcome_of_round,
    shares_of,
)
from marketplace.api.disputes import challenge_shown, root_shown
from marketplace.api.parts import hexed, point_of, transaction_of
from marketplace.chain import events as e
from marketplace.chain.types import Address, RoundResult, ScoreRule
from marketplace.node.seats import cohort_numbers
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import distance, members
from marketplace.protocol.shares import round_budget
from marketplace.storage.cid import from_digest
from zk import curve
from zk.curve import Point


def round_summary(chronicle: Chronicle, told: RoundTold) -> m.RoundSummary:
    """A round in a list."""
    slots, cohorts = chronicle.terms.slots, told.cohorts.values()
    standing = told.results if told.undone is None else []
    ends: list[e.Event] = [end for told_ in cohorts if (end := told_.posted or told_.skipped) is not None]
    return m.RoundSummary(
        round=told.number,
        outcome=outcome_of_round(chronicle.terms, told),
        submitted=sorted(cohort.index * slots + slot for cohort in cohorts for slot in cohort.arrived),
        withheld=sorted(cohort.index * slots + slot for cohort in cohorts for slot in cohort.withheld),
        merged=[posted.cohort * slots + slot for posted in standing for slot in members(posted.merged)],
        struck=[posted.cohort * slots + slot for posted in told.results for slot in members(posted.struck)],
        reference=told.reference is not None,
        paid=str(sum(sum(posted.amounts) for posted in standing)),
        models=[
            from_digest(posted.model)
            for posted in sorted(told.results, key=lambda posted: (posted.block_number, posted.log_index))
        ],
        transactions=[transaction_of(end) for end in ends],
    )


def round_shown(chronicle: Chronicle, told: RoundTold, results: Mapping[int, e.ResultCall]) -> m.RoundShown:
    """A round in full; `results`: by cohort, what the calldata of its result said."""
    terms = chronicle.terms
    return m.RoundShown(
        block_number=chronicle.block.number,
        project=chronicle.project,
        round=told.number,
        outcome=outcome_of_round(terms, told),
        submit_deadline=told.opened.submit_deadline,
        result_deadline=told.opened.result_deadline,
        challenge_deadline=told.closed.challenge_deadline if told.closed else None,
        budget=str(round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)),
        cohorts=[
            _cohort(chronicle, told, told.cohorts[index], results.get(index))
            for index in sorted(told.cohorts)
        ],
        reference=_reference(told.reference),
        timeouts=[
            m.TimeoutShown(
                aggregator=late.aggregator, slashed=str(late.slashed), transaction=transaction_of(late)
            )
            for late in told.timeouts
        ],
        challenges=[challenge_shown(told, challenged) for challenged in told.challenges],
        sketch_seed=hexed(told.drawn.seed) if told.drawn else None,
        undone_in=transaction_of(told.undone) if told.undone else None,
    )


def _cohort(
    chronicle: Chronicle, told: RoundTold, cohort: CohortTold, said: e.ResultCall | None
) -> m.CohortShown:
    posted, gram, stated = cohort.posted, None, cohort.stated
    result = said.result if said is not None else None
    if result is not None:
        inputs = chronicle.terms.slots + (chronicle.terms.score_rule is ScoreRule.REFERENCE)
        gram = Gram(inputs, tuple(from_felt(entry) for entry in result.gram))
    trainers = numbered(chronicle.events)
    numbers = cohort_numbers(chronicle.state, chronicle.terms.slots, told.number, cohort.index)
    return m.CohortShown(
        cohort=cohort.index,
        outcome=outcome_of(chronicle.terms, cohort),
        slots=[
            _slot(chronicle, cohort, slot, None if number is None else trainers[number], said, gram)
            for slot, number in enumerate(numbers)
        ],
        batch=_batch(cohort.batch),
        aggregator=posted.aggregator if posted else None,
        fee=str(posted.fee) if posted else None,
        gram=[str(entry) for entry in gram.triangle] if gram else None,
        model=from_digest(posted.model) if posted else None,
        model_commitment=point_of(Point(posted.x, posted.y)) if posted else None,
        sum=point_of(stated.statement.sum) if isinstance(stated, e.SketchResultPosted) else None,
        statement=hexed(cohort.statement) if cohort.stated else None,
        result_transaction=transaction_of(posted) if posted else None,
    )


def _slot(
    chronicle: Chronicle,
    cohort: CohortTold,
    slot: int,
    trainer: Address | None,
    said: e.ResultCall | None,
    gram: Gram | None,
) -> m.SlotShown:
    result = said.result if said is not None else None
    posted, submitted = cohort.posted, cohort.submitted.get(slot)
    answer, batched = cohort.answers.get(slot), cohort.batch is not None and cohort.batch.slots >> slot & 1
    present = bool(posted and posted.present >> slot & 1)
    score = None
    if result is not None and gram is not None and present:
        # The contract has checked that these are the nearest.
        score = sum(distance(gram, slot, other) for other in members(result.neighbours[slot]))
    struck = [strike for strike in cohort.strikes if strike.trainer == trainer]
    return m.SlotShown(
        slot=slot,
        trainer=trainer,
        digest=hexed(submitted.digest) if submitted else None,
        position=cohort.arrived.get(slot),
        batched=bool(batched) and submitted is None,
        update=from_digest(submitted.blob) if submitted else None,
        submitted_in=transaction_of(submitted) if submitted else None,
        complained=slot in cohort.complained,
        answered_in=transaction_of(answer) if answer else None,
        withheld=slot in cohort.withheld,
        chunk=cohort.named.get(slot),
        left_out=bool(cohort.left_out >> slot & 1),
        root=root_shown(answer, said if present else None, slot),
        commitment=_commitment(answer, result if present else None, slot),
        present=present,
        merged=bool(posted and posted.merged >> slot & 1),
        struck=bool(posted and posted.struck >> slot & 1),
        krum_score=None if score is None else str(score),
        share=shares_of(posted.amounts)[slot] if posted else None,
        paid=str(posted.amounts[slot] if posted else 0),
        slashed=str(sum(strike.slashed for strike in struck)),
    )


def _commitment(
    answer: e.UpdateAnswered | e.UpdateChunkAnswered | None, result: RoundResult | None, slot: int
) -> m.Point | None:
    if result is not None:
        at = slot * curve.SIZE
        x, y = result.proof[at : at + 32], result.proof[at + 32 : at + curve.SIZE]
        return point_of(Point(int.from_bytes(x, "big"), int.from_bytes(y, "big")))
    exact = isinstance(answer, e.UpdateAnswered)  # a chunk that was shown is not the whole update
    return point_of(Point(answer.x, answer.y)) if answer is not None and exact else None


def _batch(batch: e.BatchPosted | None) -> m.BatchShown | None:
    if batch is None:
        return None
    return m.BatchShown(
        root=hexed(batch.root),
        slots=list(members(batch.slots)),
        updates=from_digest(batch.list),
        transaction=transaction_of(batch),
    )


def _reference(made: e.ReferenceSubmitted | None) -> m.ReferenceShown | None:
    if made is None:
        return None
    return m.ReferenceShown(
        digest=hexed(made.digest), update=from_digest(made.blob), transaction=transaction_of(made)
    )
