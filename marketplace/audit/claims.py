"""What an aggregator claims besides G: nearest neighbours and medians, which the contract checks, not sorts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from marketplace.chain.types import RoundResult
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, Rules, distance, members


def wrong_claim(rules: Rules, gram: Gram, judgement: Judgement, result: RoundResult) -> str:
    """The first claim of a result that is not the rule's, in words; empty where all are. Ties leave a choice."""
    if len(result.neighbours) != rules.slots:
        return f"neighbours are named for {len(result.neighbours)} slots, not {rules.slots}"
    quorum = len(judgement.present) >= rules.quorum
    for slot, claimed in enumerate(result.neighbours):
        named = members(claimed)
        if not (_nearest(gram, judgement, slot, named) if quorum else claimed == 0):
            return f"the neighbours of slot {slot} are named as {claimed:#x}, which is not what G gives"
    if not quorum:
        return ""
    norms = [isqrt(gram[slot, slot]) if slot in judgement.present else 0 for slot in range(rules.slots)]
    for name, slot, values, median in (
        ("score", result.median_score_slot, judgement.scores, judgement.median_score_slot),
        ("norm", result.median_norm_slot, norms, judgement.median_norm_slot),
    ):
        if slot not in judgement.present or values[slot] != values[median]:
            return f"slot {slot} is named as the median {name}, which is not what G gives"
    return ""


def _nearest(gram: Gram, judgement: Judgement, slot: int, named: Sequence[int]) -> bool:
    """As many as the rule wants, and together as near as the nearest are."""
    due = judgement.neighbours[slot]
    others = set(judgement.present) - {slot} if slot in judgement.present else set()
    return (
        len(named) == len(due)
        and set(named) <= others
        and sum(distance(gram, slot, other) for other in named) == judgement.scores[slot]
    )
