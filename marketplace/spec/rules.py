"""What must hold between the fields of a spec."""

from __future__ import annotations

import math
from typing import Protocol

from marketplace.protocol.fixed_point import MODEL_LIMIT, UPDATE_LIMIT
from marketplace.protocol.shares import round_budget
from marketplace.spec.amounts import MAX_AMOUNT
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import (
    CohortSection,
    RewardSection,
    RoundsSection,
    ScoringSection,
    StakesSection,
    TrainingSection,
)
from zk.shape import MAX_SLOTS

MAX_AGGREGATORS = 8  # of a project: contracts/libraries/TermsCheck.sol


class Sections(Protocol):
    """The sections that a project file and a posted spec share."""

    @property
    def training(self) -> TrainingSection: ...
    @property
    def rounds(self) -> RoundsSection: ...
    @property
    def cohort(self) -> CohortSection: ...
    @property
    def reward(self) -> RewardSection: ...
    @property
    def stakes(self) -> StakesSection: ...
    @property
    def scoring(self) -> ScoringSection: ...


def least_max_norm_squared(clip_norm: float, scale_bits: int, divisor: int, length: int) -> int:
    """Smallest N_max that no honest update exceeds.

    Rounding moves each of the d entries by at most 1/2, so |q| <= 2^s * clip_norm / m + sqrt(d) / 2;
    saturation only shortens. The last factor is for the float arithmetic of clipping.
    """
    norm = math.ldexp(clip_norm, scale_bits) / divisor + math.sqrt(length) / 2
    return math.ceil(norm * norm * (1 + 1e-9)) + 1


def check_sections(spec: Sections) -> None:
    """Raise BAD_SPEC, naming the field, where sections contradict one another."""
    cohort, reward, scoring = spec.cohort, spec.reward, spec.scoring
    if cohort.trainers < 2 * cohort.faults + 3:
        raise bad_field(
            "cohort.faults", f"{cohort.faults} faults need at least {2 * cohort.faults + 3} trainers"
        )
    if reward.amount == 0:
        raise bad_field("reward.amount", "the reward is nothing")
    if round_budget(reward.amount, spec.rounds.count, reward.aggregator_fee) <= 0:
        raise bad_field(
            "reward.aggregator_fee", "the fees of all rounds leave nothing of the reward for the trainers"
        )
    # What may come together in one project's escrow and pot must fit the contract's uint128.
    most = reward.amount + MAX_AGGREGATORS * spec.stakes.aggregator + MAX_SLOTS * spec.stakes.trainer
    if most > MAX_AMOUNT:
        raise bad_field("reward.amount", "with the stakes of all members it does not fit 128 bits")
    if 0 < scoring.strike_factor <= 100:
        raise bad_field("scoring.strike_factor", "at 100 or less, half of all honest trainers are struck")
    if scoring.strike_slash and not spec.stakes.trainer:
        raise bad_field("scoring.strike_slash", "there is no stake to slash: stakes.trainer is 0")


def check_arithmetic(spec: Sections, scale_bits: int, max_norm_squared: int, length: int) -> None:
    """Raise BAD_SPEC where the fixed point cannot hold what training may give."""
    divisor = spec.cohort.trainers - spec.cohort.faults
    least = least_max_norm_squared(spec.training.clip_norm, scale_bits, divisor, length)
    if least >= 2**63:
        raise bad_field("arithmetic.scale_bits", "with this training.clip_norm the norm bound leaves 63 bits")
    if max_norm_squared < least:
        raise bad_field("arithmetic.max_norm_squared", f"honest updates may reach {least}")
    entry = min(UPDATE_LIMIT, math.isqrt(max_norm_squared))
    if spec.rounds.count * divisor * entry > MODEL_LIMIT // 2:
        raise bad_field(
            "rounds.count", "so many rounds at this arithmetic.scale_bits may leave the model's int32 range"
        )
