"""A posted spec as the contract's terms: contracts/interfaces/ITrainingMarket.sol, struct Terms."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.protocol.krum import ScoreRule
from marketplace.spec import allowed_list
from marketplace.spec.posted import ProjectSpec

NATIVE = "0x" + "00" * 20
SETTLEMENTS = ("proved", "on-demand")  # by the contract's number


@dataclass(frozen=True)
class SpecTerms:
    """The fields of Solidity's Terms, in its order, in Python's spelling."""

    token: str  # 0x and 40 hex digits; all zero: native coin
    complaint_deposit: int
    reward: int
    aggregator_fee: int
    rounds: int
    slots: int
    faults: int
    cohorts: int
    settlement: int
    score_rule: int
    fallback_rule: int
    max_norm_squared: int
    batch_window: int
    submit_window: int
    result_window: int
    challenge_window: int
    strike_factor: int
    strike_slash: int
    duplicate_cosine: int
    reference_share: int
    trainer_stake: int
    aggregator_bond: int
    trainers: int
    min_reputation: int
    reveal_bond: int
    join_window: int
    answer_window: int
    chunks: int  # J; 0 on the exact path
    chunk_length: int  # n; 0 on the exact path
    spec: bytes  # 32 bytes: sha2-256 digest of the spec's CID
    circuit: bytes  # 32 bytes
    validation: bytes  # 32 bytes
    aggregators: bytes  # 32 bytes
    initial_model: tuple[int, int]  # M_0: a point, or on the sketch path root and J


def terms(spec: ProjectSpec, spec_digest: bytes, initial_model: tuple[int, int]) -> SpecTerms:
    """The terms on chain that `spec` stands for.

    `spec_digest`: the 32-byte digest of its CID; `initial_model`: M_0, the commitment of its initial model, on the
    sketch path (root, J).
    Posting sends them; whoever joins and whoever audits compares them with the chain's.
    """
    if len(spec_digest) != 32:
        raise ValueError("a spec digest has 32 bytes")
    rounds, cohort, stakes, scoring = spec.rounds, spec.cohort, spec.stakes, spec.scoring
    return SpecTerms(
        token=NATIVE if spec.reward.token == "native" else spec.reward.token,
        complaint_deposit=stakes.complaint_deposit,
        reward=spec.reward.amount,
        aggregator_fee=spec.reward.aggregator_fee,
        rounds=rounds.count,
        slots=cohort.slots,
        faults=cohort.faults,
        cohorts=cohort.cohorts,
        settlement=SETTLEMENTS.index(spec.settlement.mode),
        score_rule=_rule(scoring.rule),
        fallback_rule=_rule(scoring.fallback_rule),
        max_norm_squared=spec.arithmetic.max_norm_squared,
        batch_window=rounds.batch_window,
        submit_window=rounds.submit_window,
        result_window=rounds.result_window,
        challenge_window=rounds.challenge_window,
        strike_factor=scoring.strike_factor,
        strike_slash=scoring.strike_slash,
        duplicate_cosine=scoring.duplicate_cosine,
        reference_share=scoring.reference_share,
        trainer_stake=stakes.trainer,
        aggregator_bond=stakes.aggregator,
        trainers=cohort.trainers,
        min_reputation=spec.reputation.floor,
        reveal_bond=stakes.reveal,
        join_window=rounds.join_window,
        answer_window=rounds.answer_window,
        chunks=spec.sketch.chunks if spec.sketch else 0,
        chunk_length=spec.sketch.chunk_length if spec.sketch else 0,
        spec=spec_digest,
        circuit=bytes.fromhex(spec.circuit.digest[2:]),
        validation=bytes(32) if spec.validation is None else bytes.fromhex(spec.validation.commitment[2:]),
        aggregators=allowed_list.root(spec.aggregators.allowed),
        initial_model=initial_model,
    )


def _rule(name: str) -> int:
    return int(ScoreRule[name.upper()])
