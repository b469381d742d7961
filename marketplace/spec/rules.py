"""What must hold between the fields of a spec."""

from __future__ import annotations

import math
from typing import Protocol

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.fixed_point import MODEL_LIMIT, UPDATE_LIMIT
from marketplace.protocol.shares import divisor, round_budget
from marketplace.spec.amounts import MAX_AMOUNT
from marketplace.spec.cutting import MAX_LENGTH as MAX_LENGTH
from marketplace.spec.cutting import check_sketched, norm_factor
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import (
    AggregatorsSection,
    CohortSection,
    ProjectSection,
    RewardSection,
    RoundsSection,
    ScoringSection,
    StakesSection,
    TrainingSection,
)
from zk.shape import MAX_SLOTS

SATURATION = 16  # by how much an honest update's length may exceed what one int16 entry holds
MAX_AGGREGATORS = 8  # of a project: contracts/libraries/TermsCheck.sol
MAX_SEALED_TO = 1000  # trainers whom models can be sealed to; aggregators and owner come on top
# Where fees are real: 50 blocks of 12 s. A transaction that is stuck is replaced after 10 blocks; a node has time to
# be restarted, and to try again.
LEAST_WINDOW_S = 600


class Sections(Protocol):
    """The sections that a project file and a posted spec share."""

    @property
    def project(self) -> ProjectSection: ...
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
    @property
    def aggregators(self) -> AggregatorsSection: ...


def least_max_norm_squared(
    clip_norm: float, scale_bits: int, divisor: int, length: int, width: int | None = None
) -> int:
    """Smallest N_max that no honest update exceeds; on the sketch path none's sketch of `width` numbers.

    Rounding moves each of the d entries by at most 1/2, so |q| <= 2^s * clip_norm / m + sqrt(d) / 2;
    saturation only shortens. The last factor is for the float arithmetic of clipping.
    """
    norm = math.ldexp(clip_norm, scale_bits) / divisor + math.sqrt(length) / 2
    room = 1.0 if width is None else norm_factor(width)
    return math.ceil(norm * norm * room * (1 + 1e-9)) + 1


def check_sections(spec: Sections) -> None:
    """Raise BAD_SPEC, naming the field, where sections contradict one another."""
    if inputs(spec) > MAX_SLOTS:
        raise bad_field("cohort.slots", f"with the reference rule at most {MAX_SLOTS - 1} are possible")
    _check_cohort(spec.cohort)
    _check_windows(spec.rounds)
    _check_amounts(spec)
    _check_scoring(spec.scoring, spec.stakes)
    if len(set(spec.aggregators.allowed)) != len(spec.aggregators.allowed):
        raise bad_field("aggregators.allowed", "an address stands twice")


def check_sealing(spec: Sections, is_sketched: bool) -> None:
    """Raise BAD_SPEC, naming the field, where models that are sealed to members cannot be."""
    if spec.project.visibility == "public":
        return
    if is_sketched:
        raise bad_field(
            "project.visibility",
            "models on the sketch path cannot be sealed to members yet",
            'set it to "public", or take arithmetic.path "exact"',
        )
    if spec.cohort.trainers > MAX_SEALED_TO:
        raise bad_field(
            "cohort.trainers", f"a model is sealed to each of them, which at most {MAX_SEALED_TO} are"
        )


def _check_cohort(cohort: CohortSection) -> None:
    if cohort.slots < 2 * cohort.faults + 3:
        raise bad_field(
            "cohort.faults", f"{cohort.faults} faults need at least {2 * cohort.faults + 3} slots"
        )
    if cohort.trainers < cohort.slots * cohort.cohorts:
        raise bad_field(
            "cohort.trainers",
            f"{cohort.cohorts} cohorts of {cohort.slots} slots need {cohort.slots * cohort.cohorts} places",
        )


def _check_windows(rounds: RoundsSection) -> None:
    if rounds.batch_window >= rounds.submit_window:
        raise bad_field(
            "rounds.batch_window", "it must end before submit_window, for those who are not in the batch"
        )
    if rounds.challenge_window > rounds.submit_window:
        raise bad_field(
            "rounds.challenge_window", "it is longer than submit_window: two rounds would be in doubt at once"
        )


def check_public_windows(rounds: RoundsSection) -> None:
    """Raise BAD_SPEC, naming the field, for a window that nodes on a public chain could miss."""
    for name in ("join_window", "submit_window", "answer_window", "result_window", "challenge_window"):
        window = getattr(rounds, name)
        if window < LEAST_WINDOW_S:
            raise bad_field(
                f"rounds.{name}",
                f"{window} seconds are too short off a development chain: at least {LEAST_WINDOW_S}",
            )
    if rounds.submit_window - rounds.batch_window < LEAST_WINDOW_S:
        raise bad_field(
            "rounds.batch_window",
            f"it leaves less than {LEAST_WINDOW_S} seconds of submit_window for those who are not in the batch",
        )


def _check_amounts(spec: Sections) -> None:
    cohort, reward, stakes = spec.cohort, spec.reward, spec.stakes
    if reward.amount == 0:
        raise bad_field("reward.amount", "the reward is nothing")
    if round_budget(reward.amount, spec.rounds.count, cohort.cohorts, reward.aggregator_fee) <= 0:
        raise bad_field(
            "reward.aggregator_fee", "the fees of all rounds leave nothing of the reward for the trainers"
        )
    # What may come together in one project must fit the contract's uint96.
    deposits = stakes.complaint_deposit * inputs(spec) * cohort.cohorts
    aggregators = MAX_AGGREGATORS * (stakes.aggregator + deposits)
    most = reward.amount + stakes.reveal + aggregators + cohort.trainers * stakes.trainer
    if most > MAX_AMOUNT:
        raise bad_field("reward.amount", "with the stakes of all members it does not fit 96 bits")
    if stakes.complaint_deposit > stakes.trainer:
        raise bad_field(
            "stakes.complaint_deposit", "it is more than a trainer's stake, from which it is paid"
        )
    if 2 * deposits > stakes.aggregator:
        raise bad_field(
            "stakes.complaint_deposit",
            f"half of an aggregator's bond must hold {inputs(spec) * cohort.cohorts} of it",
        )


def _check_scoring(scoring: ScoringSection, stakes: StakesSection) -> None:
    if 0 < scoring.strike_factor <= 100:
        raise bad_field("scoring.strike_factor", "at 100 or less, half of all honest trainers are struck")
    if scoring.strike_slash and not stakes.trainer:
        raise bad_field("scoring.strike_slash", "there is no stake to slash: stakes.trainer is 0")
    if scoring.rule == "reference":
        if not scoring.reference_share:
            raise bad_field("scoring.reference_share", "at 0 the reference counts for nothing")
        return
    if scoring.fallback_rule != "projection":
        raise bad_field("scoring.fallback_rule", "only the reference rule has one; leave it out")
    if scoring.reference_share:
        raise bad_field("scoring.reference_share", "only the reference rule has one; leave it out")
    if stakes.reveal:
        raise bad_field("stakes.reveal", "only with the reference rule is there anything to reveal")


def check_arithmetic(
    spec: Sections, scale_bits: int, max_norm_squared: int, length: int, width: int | None = None
) -> None:
    """Raise BAD_SPEC where the fixed point cannot hold what training may give, TOO_LARGE beyond the path.

    `length`: of a packed vector. `width`: of a sketch; None on the exact path.
    """
    if width is not None:
        check_sketched(length)
    elif length > MAX_LENGTH:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"a challenge could not be answered: one transaction holds {MAX_LENGTH} parameters, not {length}",
            f'train at most {MAX_LENGTH} parameters, or set arithmetic.path = "sketch"',
        )
    m = divisor_of(spec)
    least = least_max_norm_squared(spec.training.clip_norm, scale_bits, m, length, width)
    if math.ldexp(spec.training.clip_norm, scale_bits) / m > SATURATION * UPDATE_LIMIT:
        raise bad_field(
            "arithmetic.scale_bits",
            "updates as long as training.clip_norm would be cut off at int16: use fewer",
        )
    if least >= 2**63:
        raise bad_field("arithmetic.scale_bits", "with this training.clip_norm the norm bound leaves 63 bits")
    if max_norm_squared < least:
        raise bad_field("arithmetic.max_norm_squared", f"honest updates may reach {least}")
    # A sketch's norm is its update's only about, so there int16 alone bounds what an entry adds to the model.
    entry = UPDATE_LIMIT if width is not None else min(UPDATE_LIMIT, math.isqrt(max_norm_squared))
    if spec.rounds.count * m * entry > MODEL_LIMIT // 2:
        raise bad_field(
            "rounds.count", "so many rounds at this arithmetic.scale_bits may leave the model's int32 range"
        )


def inputs(spec: Sections) -> int:
    """Inputs of the circuit: K, and with the reference rule the owner's update."""
    return spec.cohort.slots + (spec.scoring.rule == "reference")


def divisor_of(spec: Sections) -> int:
    """m: how many updates a round merges at most."""
    return divisor(spec.cohort.cohorts, spec.cohort.slots, spec.cohort.faults)
