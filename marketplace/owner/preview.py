"""What posting a project would cost its owner, and what each part of it would bring the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from marketplace.chain.endpoint import translated_errors
from marketplace.chain.fees import Fees
from marketplace.node.estimate import ProofEstimate, VectorEstimate, estimate_proof, estimate_vectors
from marketplace.node.session import Session
from marketplace.owner.checked import CheckedProject
from marketplace.protocol.shares import round_budget

# Gas measured at K = 10, d = 650, rounded up (benchmarks/gas.py): these calls need a circuit that may not be there yet.
DEPLOY_VERIFIER_GAS = 3_400_000
REGISTER_GAS = 310_000
CREATE_GAS = 460_000
APPROVE_GAS = 50_000
REFERENCE_GAS = 60_000  # each round, by `project serve`
REVEAL_GAS = 65_000


@dataclass(frozen=True)
class PostPreview:
    """Amounts of the project in the token's smallest unit, fees in wei."""

    reward: int
    round_budget: int  # of a cohort
    aggregator_fee: int
    trainer_stake: int
    aggregator_bond: int
    complaint_deposit: int
    reveal_bond: int
    slots: int
    inputs: int
    parameters: int  # d
    length: int  # of the circuit
    path: str
    chunks: int  # of a packed vector; 0 on the exact path
    chunk_length: int
    gas: int
    gas_cost: int
    proof: ProofEstimate
    vectors: VectorEstimate | None  # on the sketch path

    def to_dict(self) -> dict[str, Any]:
        """For JSON: amounts as decimal strings; for a large model what it takes, in words."""
        document = asdict(self)
        if self.vectors is None:
            del document["vectors"]
        else:
            document["large_model"] = self.vectors.in_words()
        amounts = (
            *("reward", "round_budget", "aggregator_fee", "trainer_stake", "aggregator_bond"),
            *("complaint_deposit", "reveal_bond", "gas_cost"),
        )
        return document | {name: str(document[name]) for name in amounts}


def preview_post(session: Session, checked: CheckedProject) -> PostPreview:
    """Reads the chain's fees; signs and makes nothing."""
    eth = session.client.web3.eth
    with translated_errors("read the chain's fees"):
        base_fee = int(eth.get_block("latest").get("baseFeePerGas", 0))
        fees = Fees.for_next_blocks(base_fee, int(eth.max_priority_fee))
    file = checked.file
    native = file.reward.token == "native"
    gas = DEPLOY_VERIFIER_GAS + REGISTER_GAS + CREATE_GAS + (0 if native else APPROVE_GAS)
    if file.has_reference:
        gas += file.rounds.count * REFERENCE_GAS + REVEAL_GAS
    return PostPreview(
        reward=file.reward.amount,
        round_budget=round_budget(
            file.reward.amount, file.rounds.count, file.cohort.cohorts, file.reward.aggregator_fee
        ),
        aggregator_fee=file.reward.aggregator_fee,
        trainer_stake=file.stakes.trainer,
        aggregator_bond=file.stakes.aggregator,
        complaint_deposit=file.stakes.complaint_deposit,
        reveal_bond=file.stakes.reveal,
        slots=file.cohort.slots,
        inputs=checked.shape.slots,
        parameters=file.length,
        length=checked.shape.length,
        path=file.path,
        chunks=checked.sketch.chunks if checked.sketch else 0,
        chunk_length=checked.sketch.chunk_length if checked.sketch else 0,
        gas=gas,
        gas_cost=gas * (base_fee + fees.priority_fee),
        proof=estimate_proof(checked.shape),
        vectors=None
        if checked.sketch is None
        else estimate_vectors(checked.sketch.chunks, checked.sketch.chunk_length),
    )
