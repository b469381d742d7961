"""A posted spec as the contract's terms: contracts/interfaces/ITrainingMarket.sol, struct Terms."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.protocol.krum import ScoreRule
from marketplace.spec.posted import ProjectSpec

NATIVE = "0x" + "00" * 20


@dataclass(frozen=True)
class SpecTerms:
    """The fields of Solidity's Terms, in its order, in Python's spelling."""

    token: str  # 0x and 40 hex digits; all zero: native coin
    reward: int
    trainer_stake: int
    aggregator_bond: int
    aggregator_fee: int
    spec: bytes  # 32 bytes: sha2-256 digest of the spec's CID
    circuit: bytes  # 32 bytes
    slots: int
    faults: int
    rounds: int
    join_window: int
    submit_window: int
    result_window: int
    score_rule: int
    strike_factor: int
    strike_slash: int
    duplicate_cosine: int
    max_norm_squared: int
    initial_model: tuple[int, int]  # M_0


def terms(spec: ProjectSpec, spec_digest: bytes, initial_model: tuple[int, int]) -> SpecTerms:
    """The terms on chain that `spec` stands for.

    `spec_digest`: the 32-byte digest of its CID; `initial_model`: M_0, the commitment of its initial model.
    Posting sends them; whoever joins and whoever audits compares them with the chain's.
    """
    if len(spec_digest) != 32:
        raise ValueError("a spec digest has 32 bytes")
    return SpecTerms(
        token=NATIVE if spec.reward.token == "native" else spec.reward.token,
        reward=spec.reward.amount,
        trainer_stake=spec.stakes.trainer,
        aggregator_bond=spec.stakes.aggregator,
        aggregator_fee=spec.reward.aggregator_fee,
        spec=spec_digest,
        circuit=bytes.fromhex(spec.circuit.digest[2:]),
        slots=spec.cohort.trainers,
        faults=spec.cohort.faults,
        rounds=spec.rounds.count,
        join_window=spec.rounds.join_window,
        submit_window=spec.rounds.submit_window,
        result_window=spec.rounds.result_window,
        score_rule=int(ScoreRule[spec.scoring.rule.upper()]),
        strike_factor=spec.scoring.strike_factor,
        strike_slash=spec.scoring.strike_slash,
        duplicate_cosine=spec.scoring.duplicate_cosine,
        max_norm_squared=spec.arithmetic.max_norm_squared,
        initial_model=initial_model,
    )
