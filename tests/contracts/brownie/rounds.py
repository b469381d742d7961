"""Rounds made up for the contract tests: updates, commitments that add up, and the result an aggregator posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from py_ecc import bn128

from marketplace.chain.types import NATIVE_COIN, Address, RoundResult, ScoreRule, Terms
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Judgement, Rules, judge, mask
from zk.curve import Point, to_bytes

SLOTS, FAULTS, LENGTH, ROUNDS = 6, 1, 3, 2
UNBONDING_DELAY_S = 7200
WINDOW_S = 600
AGGREGATORS = 2
BASES = (7, 11, 13)  # L_j = BASES[j] * (1, 2)
ZERO = 10**9  # C_0 = ZERO * (1, 2)

Update = Sequence[int]


def commitment(update: Update) -> Point:
    """C_0 + sum_j q_j L_j, as ezkl's commitment is."""
    factor = ZERO + sum(q * base for q, base in zip(update, BASES, strict=True))
    x, y = bn128.multiply(bn128.G1, factor)
    return Point(x.n, y.n)


def terms(circuit: bytes, token: Address = NATIVE_COIN, rule: ScoreRule = ScoreRule.PROJECTION) -> Terms:
    """A project's terms; numbers that leave dust everywhere."""
    return Terms(
        token=token,
        reward=1_000_003,
        trainer_stake=50_001,
        aggregator_bond=70_007,
        aggregator_fee=10_009,
        spec=b"s" * 32,
        circuit=circuit,
        slots=SLOTS,
        faults=FAULTS,
        rounds=ROUNDS,
        join_window=WINDOW_S,
        submit_window=WINDOW_S,
        result_window=WINDOW_S,
        score_rule=rule,
        strike_factor=300,
        strike_slash=3_333,
        duplicate_cosine=9_990,
        max_norm_squared=1_000_000,
        initial_model=commitment([1, 2, 3]),
    )


def judged(
    given: Terms, updates: Mapping[int, Update], order: Sequence[int], omitted: Sequence[int]
) -> Judgement:
    """What Python says of a round. `updates` by slot, `order`: slots in the order of submission."""
    rules = Rules(
        slots=SLOTS,
        faults=FAULTS,
        max_norm_squared=given.max_norm_squared,
        score_rule=given.score_rule,
        strike_factor=given.strike_factor,
        duplicate_cosine=given.duplicate_cosine,
    )
    positions = [order.index(slot) + 1 if slot in order else 0 for slot in range(SLOTS)]
    return judge(rules, gram(_in_slots(updates, omitted)), order, omitted, positions)


def result(
    round: int, updates: Mapping[int, Update], judgement: Judgement, omitted: Sequence[int]
) -> RoundResult:
    """The result that an honest aggregator posts."""
    inputs = _in_slots(updates, omitted)
    points = [commitment([0] * LENGTH if q is None else [int(v) for v in q]) for q in inputs]
    return RoundResult(
        round=round,
        omitted=mask(omitted),
        merged=mask(judgement.merged),
        median_score_slot=judgement.median_score_slot,
        median_norm_slot=judgement.median_norm_slot,
        model=bytes([round]) * 32,
        neighbours=tuple(mask(near) for near in judgement.neighbours),
        gram=tuple(to_felt(value) for value in gram(inputs).triangle),
        proof=b"".join(to_bytes(point) for point in points),
    )


def _in_slots(updates: Mapping[int, Update], omitted: Sequence[int]) -> list[np.ndarray | None]:
    return [
        np.array(updates[slot], np.int64) if slot in updates and slot not in omitted else None
        for slot in range(SLOTS)
    ]
