"""What an update may earn, held against what the rules then pay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marketplace.chain.types import Settlement, Terms
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Rules, ScoreRule, judge
from marketplace.protocol.shares import amounts
from tests.support.structs import blank
from trainer_node.agreement import Agreement, cosine
from trainer_node.past_round import PastRound, past_round
from trainer_node.prospects import expected_cosine, in_words, share_beside, strike_cost

SLOTS, FAULTS, LENGTH = 8, 1, 200
RULES = Rules(slots=SLOTS, faults=FAULTS, max_norm_squared=10**12, reference=True, reference_share=10_000)


def round_of(seed: int, spread: float) -> list[np.ndarray]:
    """Updates of `SLOTS` trainers around a direction, and the owner's reference, last."""
    generator = np.random.default_rng(seed)
    way = generator.normal(0, 300, LENGTH)
    made = [
        way * generator.uniform(0.7, 1.3) + generator.normal(0, 300 * spread, LENGTH) for _ in range(SLOTS)
    ]
    return [np.rint(update).astype(np.int16) for update in (*made, way)]


def felts(matrix: Gram) -> list[int]:
    return [to_felt(entry) for entry in matrix.triangle]


BY_OTHERS = replace(RULES, reference=False, reference_share=0)
KINDS = {
    "reference": RULES,
    "projection": BY_OTHERS,
    "cosine": replace(BY_OTHERS, score_rule=ScoreRule.COSINE),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_the_share_is_what_the_rules_pay_one_that_takes_anothers_place(kind: str, seed: int) -> None:
    """Each merged trainer in turn: estimated from the round itself, its share is its pay but for the others' spread."""
    rules, updates = KINDS[kind], round_of(seed, 0.6)
    matrix = gram(updates if rules.reference else updates[:SLOTS])
    judged = judge(rules, matrix, range(SLOTS), range(1, SLOTS + 1), reference_present=rules.reference)
    paid = amounts(judged, 10**18, rules.reference_share)
    past = past_round(rules, felts(matrix), range(SLOTS), 3)
    assert (past.round, past.merged, past.by_reference) == (3, SLOTS - FAULTS, rules.reference)
    guide = (
        updates[SLOTS] if rules.reference else np.sum([updates[i] for i in judged.merged], axis=0, dtype=int)
    )
    for slot in judged.merged:
        update = updates[slot].astype(np.float64)
        agreement = cosine(update, guide.astype(np.float64))
        estimated = share_beside(past, agreement, float(np.linalg.norm(update)))
        assert estimated == pytest.approx(paid[slot] / 10**18, rel=0.1)


@pytest.mark.parametrize("parts", [(80, 20), (50, 50), (990, 10)])
@pytest.mark.parametrize("k", [1.0, 100.0, 1000.0])
def test_reliability_is_found_from_two_parts_of_any_size(parts: tuple[int, int], k: float) -> None:
    product = 1 / np.sqrt((1 + k / parts[0]) * (1 + k / parts[1]))
    agreement = Agreement(float(product), parts, 1.0)
    for rows in (10, 100, 10_000):
        assert agreement.reliability(rows) == pytest.approx(1 / np.sqrt(1 + k / rows))
    assert Agreement(1.0, parts, 1.0).reliability(100) == 1
    assert Agreement(-0.1, parts, 1.0).reliability(100) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [50, 100, 400])
def test_what_is_expected_of_ones_own_rows_is_what_the_rules_then_pay(kind: str, rows: int) -> None:
    """Updates are a signal, and noise that falls with the rows. Known: two parts of one's own, and the last round."""
    rules, generator, length, k = KINDS[kind], np.random.default_rng(rows), 20_000, 150.0
    signal = generator.normal(0, 100, length)

    def update(count: int) -> np.ndarray:
        noise = generator.normal(0, 100 * np.sqrt(k / count), length)
        return np.rint(signal + noise).astype(np.int16)

    def judged(first: np.ndarray) -> tuple[Gram, float]:
        updates = [first, *(update(100) for _ in range(SLOTS - 1))]
        matrix = gram([*updates, update(150)] if rules.reference else updates)
        made = judge(loose, matrix, range(SLOTS), range(1, SLOTS + 1), reference_present=rules.reference)
        return matrix, amounts(made, 10**18, rules.reference_share)[0] / 10**18

    loose = replace(rules, faults=0)  # so that the first is merged whatever its noise
    past = past_round(loose, felts(judged(update(100))[0]), range(SLOTS), 1)
    parts = (rows * 4 // 5, rows // 5)
    one, other = (update(part).astype(np.float64) for part in parts)
    known = Agreement(cosine(one, other), parts, float(np.linalg.norm(one)))
    expected = expected_cosine(past, known.reliability(rows), known.norm)
    estimated = share_beside(past, expected, known.norm)
    assert estimated == pytest.approx(judged(update(rows))[1], rel=0.15)


def test_more_agreement_earns_more_and_length_beyond_the_median_nothing() -> None:
    past = PastRound(1, 7, True, True, 1000, 500, 200_000.0, 0.6, 0.5)
    shares = [share_beside(past, agreement, 500) for agreement in (-0.5, 0.0, 0.2, 0.9)]
    assert shares[:2] == [0, 0]
    assert shares[2] < shares[3]
    assert share_beside(past, 0.9, 5000) == share_beside(past, 0.9, 500) > share_beside(past, 0.9, 50)


def test_a_round_without_its_reference_is_measured_by_the_others() -> None:
    updates = round_of(0, 0.5)
    updates[SLOTS] = np.zeros(LENGTH, dtype=np.int16)
    past = past_round(RULES, felts(gram(updates)), range(SLOTS), 1)
    assert not past.by_reference
    assert past.guide_norm > 5 * past.median_norm


def test_a_round_below_the_quorum_has_nobody_to_be_measured_by() -> None:
    past = past_round(RULES, felts(gram(round_of(0, 0.5))), range(3), 1)
    assert (past.merged, past.mean_contribution) == (0, 0)


def test_what_is_likely_is_said_in_words() -> None:
    assert "nothing: the update rounds to zero" in in_words(0.9, 0, None, 7)
    assert "probably little or nothing" in in_words(-0.1, 100, 0.0, 7)
    assert "an equal part, 1/7 of a pot" in in_words(0.9, 100, None, 7)
    assert "about 12.5%" in in_words(0.9, 100, 0.125, 7)


def test_a_high_score_costs_stake_only_where_a_result_is_proved_on_the_exact_path() -> None:
    terms = blank(
        Terms, trainer_stake=1000, strike_factor=800, strike_slash=2000, settlement=Settlement.PROVED
    )
    assert strike_cost(terms) == 200
    assert strike_cost(replace(terms, strike_factor=0)) == 0
    assert strike_cost(replace(terms, strike_slash=0)) == 0
    assert strike_cost(replace(terms, chunks=7)) == 0
    assert strike_cost(replace(terms, settlement=Settlement.ON_DEMAND)) == 0
