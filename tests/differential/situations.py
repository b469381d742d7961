"""What is special about a round: so that a suite can show what it has met."""

from __future__ import annotations

from collections import Counter

from marketplace.protocol.krum import Judgement
from tests.differential.rounds import Round


def count_situations(seen: Counter[str], round_: Round, judgement: Judgement) -> None:
    """Adds the round to the counts of all that it is an example of."""
    rules, matrix, present, merged = round_.rules, round_.gram, judgement.present, judgement.merged
    seen["rounds"] += 1
    seen["oversized"] += bool(judgement.oversized)
    seen["no quorum"] += not merged
    if not merged:
        return
    pairs = [(i, j) for i in present for j in present if i < j]
    projections = {i: sum(matrix[i, j] for j in merged) for i in merged}
    seen["absences"] += len(present) < rules.slots
    seen["by reference"] += judgement.by_reference
    seen["paid by reference"] += any(judgement.reference_contributions)
    seen["a reference that is none"] += round_.reference_present and rules.reference > judgement.by_reference
    seen["no reference"] += rules.reference and not round_.reference_present
    seen["struck by score"] += len(judgement.struck) > len(judgement.oversized)
    outside = set(round_.submitted) - set(present)
    seen["an absent one far"] += any(
        abs(matrix[i, j]) > rules.max_norm_squared for i in outside for j in present
    )
    seen["exactly parallel"] += any(matrix[i, j] ** 2 == matrix[i, i] * matrix[j, j] != 0 for i, j in pairs)
    seen["negative projections"] += any(dot < 0 for dot in projections.values())
    seen["unpaid copies"] += any(dot > 0 and not judgement.contributions[i] for i, dot in projections.items())
    seen["zero updates"] += any(matrix[i, i] == 0 for i in present)
    seen["tied scores"] += len({judgement.scores[i] for i in present}) < len(present)
    seen["all alike"] += len({judgement.scores[i] for i in present}) == 1
    seen["largest norm"] += any(matrix[i, i] == rules.max_norm_squared for i in present)
    seen["paid"] += any(judgement.contributions)
    seen[f"paid by {rules.score_rule.name}"] += any(judgement.contributions)
    seen[f"K = {rules.slots}, f = {rules.faults}"] += 1


def count_far(seen: Counter[str], round_: Round, pair: tuple[int, int]) -> None:
    """The same for a round with a far pair, of which nothing else can be said."""
    seen["rounds"] += 1
    bound = "by the bound" if abs(round_.gram[pair]) > round_.rules.max_norm_squared else "by Cauchy-Schwarz"
    seen[f"far {bound}" if pair[1] < round_.rules.slots else f"the reference far {bound}"] += 1
