"""Terms for the contract tests, and what follows from a round's updates: the result that an honest aggregator posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from toy import LENGTH, TRAILER, Vector, commitment

from marketplace.chain.types import NATIVE_COIN, Arrivals, Project, RoundResult, ScoreRule, Settlement, Terms
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Judgement, Rules, judge, mask
from zk.curve import to_bytes, x_bytes

SLOTS, FAULTS, ROUNDS = 6, 1, 2
REFERENCE = SLOTS  # stands for the owner's reference where slots are named
UNBONDING_DELAY_S = 7200
WINDOW_S = 600
ANSWER_S = 300
CHALLENGE_S = 400
AGGREGATORS = 3
INITIAL_MODEL = (1, -2, 3, 40_000)
VALIDATION, SALT = b"v" * 32, b"z" * 32


def terms(circuit: bytes, **changes: Any) -> Terms:
    """A project's terms; numbers that leave dust everywhere."""
    plain = Terms(
        token=NATIVE_COIN,
        reward=1_000_003,
        trainer_stake=50_001,
        aggregator_bond=70_007,
        max_norm_squared=1_000_000,
        aggregator_fee=10_009,
        complaint_deposit=2_003,
        slots=SLOTS,
        faults=FAULTS,
        cohorts=1,
        settlement=Settlement.PROVED,
        score_rule=ScoreRule.PROJECTION,
        fallback_rule=ScoreRule.PROJECTION,
        rounds=ROUNDS,
        join_window=WINDOW_S,
        batch_window=WINDOW_S // 2,
        submit_window=WINDOW_S,
        answer_window=ANSWER_S,
        chunks=0,
        chunk_length=0,
        result_window=WINDOW_S,
        challenge_window=CHALLENGE_S,
        trainers=SLOTS,
        min_reputation=0,
        strike_factor=300,
        strike_slash=3_333,
        duplicate_cosine=9_990,
        reference_share=0,
        reveal_bond=0,
        spec=b"s" * 32,
        circuit=circuit,
        validation=bytes(32),
        aggregators=bytes(32),
        initial_model=commitment(INITIAL_MODEL),
    )
    return replace(plain, **changes)


def by_reference(circuit: bytes, **changes: Any) -> Terms:
    """Terms of a project with an owner's reference; `circuit` has one input more."""
    reference = {
        "score_rule": ScoreRule.REFERENCE,
        "fallback_rule": ScoreRule.COSINE,
        "reference_share": 7_777,
        "reveal_bond": 30_011,
        "validation": keccak(encode(["bytes32", "bytes32"], [VALIDATION, SALT])),
    }
    return terms(circuit, **(reference | changes))


def inputs(given: Terms) -> int:
    """Of the project's circuit."""
    return given.slots + (given.score_rule is ScoreRule.REFERENCE)


def judged(given: Terms, updates: Mapping[int, Vector], positions: Sequence[int]) -> Judgement:
    """What Python says of a round: `updates` by slot (`REFERENCE`: the owner's), the order of arrival by slot."""
    rule = given.score_rule
    rules = Rules(
        slots=given.slots,
        faults=given.faults,
        max_norm_squared=given.max_norm_squared,
        score_rule=given.fallback_rule if rule is ScoreRule.REFERENCE else rule,
        reference=rule is ScoreRule.REFERENCE,
        reference_share=given.reference_share,
        strike_factor=given.strike_factor,
        duplicate_cosine=given.duplicate_cosine,
    )
    present = [slot for slot in updates if slot != REFERENCE]
    return judge(rules, gram_of(given, updates), present, positions, reference_present=REFERENCE in updates)


def gram_of(given: Terms, updates: Mapping[int, Vector]) -> Gram:
    """The Gram matrix that the circuit publishes."""
    return gram([np.array(updates[i], np.int64) if i in updates else None for i in range(inputs(given))])


def commitments(given: Terms, updates: Mapping[int, Vector]) -> bytes:
    """The first bytes of the proof."""
    points = (commitment(tuple(updates.get(i, (0,) * LENGTH))) for i in range(inputs(given)))
    return b"".join(map(to_bytes, points))


def result(
    given: Terms,
    state: Project,
    cohort: int,
    updates: Mapping[int, Vector],
    judgement: Judgement,
    arrivals: Arrivals,
) -> RoundResult:
    """The result that an honest aggregator posts."""
    proof = commitments(given, updates)
    return RoundResult(
        round=state.round,
        cohort=cohort,
        merged=mask(judgement.merged),
        median_score_slot=judgement.median_score_slot,
        median_norm_slot=judgement.median_norm_slot,
        model=bytes([state.round]) * 32,
        before=x_bytes(state.model),
        neighbours=tuple(mask(near) for near in judgement.neighbours),
        gram=tuple(to_felt(value) for value in gram_of(given, updates).triangle),
        arrivals=arrivals,
        proof=proof + bytes(TRAILER) if given.settlement is Settlement.PROVED else proof,
    )
