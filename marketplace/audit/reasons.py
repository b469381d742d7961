"""In one line: why a round went for a trainer as it did."""

from __future__ import annotations

from math import isqrt

from marketplace.audit.rounds import CohortReplay, Outcome, RoundReplay
from marketplace.audit.settlement import Settlement
from marketplace.chain.types import Terms
from marketplace.node.project import rules_of
from marketplace.protocol.krum import contribution, reference_contribution
from marketplace.protocol.shares import SHARE_UNIT

_NO_RESULT = {
    Outcome.OPEN: "the round is not over",
    Outcome.SETTLED: "its cohort was skipped: too few updates",
    Outcome.SKIPPED: "the round was skipped: too few updates",
    Outcome.HALTED: "the project halted: no aggregator was left",
    Outcome.UNDONE: "the round was undone: a challenge was not answered",
    Outcome.VOID: "the round was given up, as the one before it was undone",
}


def why(terms: Terms, round_: RoundReplay, cohort: CohortReplay | None, slot: int) -> str:
    """`cohort` None: the trainer sat nowhere in the round."""
    if cohort is None:
        return "it held no slot in this round"
    if not (cohort.submitted | cohort.batched) >> slot & 1:
        return "it submitted nothing in this round"
    if cohort.concluded and cohort.complained >> slot & 1:
        return "it withheld its update: the aggregator complained, and nobody answered"
    if not round_.stands:
        return _NO_RESULT[round_.outcome]
    if cohort.posted is None:
        if round_.outcome is Outcome.OPEN and cohort.skipped is not None:
            return _NO_RESULT[Outcome.SETTLED]
        return _NO_RESULT[round_.outcome]
    if cohort.settlement is None or cohort.received is None:
        return "the round's result cannot be read from its transaction"
    if cohort.left_out >> slot & 1:
        return (
            "it was left out: the complaint about it was answered, but the aggregator said that it could not have it "
            "all the same; nobody is to blame, and the aggregator got no fee"
        )
    if slot not in cohort.received.slots:
        return "the batch's entry for its slot is not signed by it, or the batch was not opened"
    return _judged(terms, cohort.settlement, slot)


def _judged(terms: Terms, settled: Settlement, slot: int) -> str:
    judgement, gram = settled.judgement, settled.gram
    if slot in judgement.oversized:
        return f"its squared norm {gram[slot, slot]} is beyond the project's bound {terms.max_norm_squared}"
    if not judgement.merged:
        return f"only {len(judgement.present)} updates were within the bound: nothing was merged"
    if slot not in judgement.merged:
        rank = sorted(judgement.present, key=lambda i: (judgement.scores[i], i)).index(slot) + 1
        kept, count = len(judgement.merged), len(judgement.present)
        return f"it is too far from the others: Krum score {rank} of {count}, the best {kept} are merged"
    if judgement.contributions[slot] or judgement.reference_contributions[slot]:
        share = settled.amounts[slot] * SHARE_UNIT // settled.pot if settled.pot else 0
        along = ", by the owner's reference and by the rule" if judgement.by_reference else ""
        return f"it was merged, with {share} millionths of the pot{along}"
    norm = isqrt(gram[slot, slot])
    median = isqrt(gram[judgement.median_norm_slot, judgement.median_norm_slot])
    rules = rules_of(terms)
    own = contribution(rules, gram, slot, judgement.merged, norm, median)
    if judgement.by_reference:
        own += reference_contribution(rules, gram, slot, norm, median)
    if own:
        return "it was merged, but is too much like an update that was committed to before it"
    return "it was merged, but points nowhere the others go: it contributed nothing"
