"""A project in words and numbers, for people and JSON."""

from __future__ import annotations

from typing import Any

from marketplace.chain.client import MarketClient
from marketplace.storage.cid import from_digest


def describe(client: MarketClient, project: int) -> dict[str, Any]:
    """Terms and state, flat; amounts as decimal strings in the token's smallest unit. Raises NOT_FOUND."""
    state, terms = client.project(project), client.terms(project)
    return {
        "project": project,
        "owner": str(state.owner),
        "status": state.status.name.lower(),
        "round": state.round,
        "rounds": terms.rounds,
        "slots": terms.slots,
        "faults": terms.faults,
        "cohorts": terms.cohorts,
        "places": terms.trainers,
        "path": "sketch" if terms.chunks else "exact",
        "chunks": terms.chunks,
        "chunk_length": terms.chunk_length,
        "width": client.circuit(terms.circuit).length,
        "seed_round": state.seed_round or None,
        "sketch_seed": "0x" + state.sketch_seed.hex() if state.seed_round else None,
        "score_rule": terms.score_rule.name.lower(),
        "settlement": terms.settlement.name.lower().replace("_", "-"),
        "trainer_count": state.trainer_count,
        "aggregator_count": state.aggregator_count,
        "aggregator_index": state.aggregator_index,
        "join_deadline": state.join_deadline,
        "submit_deadline": state.submit_deadline,
        "answer_deadline": state.answer_deadline,
        "result_deadline": state.result_deadline,
        "challenge_deadline": state.challenge_deadline,
        "token": str(terms.token),
        "reward": str(terms.reward),
        "aggregator_fee": str(terms.aggregator_fee),
        "trainer_stake": str(terms.trainer_stake),
        "aggregator_bond": str(terms.aggregator_bond),
        "complaint_deposit": str(terms.complaint_deposit),
        "reveal_bond": str(terms.reveal_bond),
        "min_reputation": terms.min_reputation,
        "escrow": str(state.escrow),
        "pot": str(state.pot),
        "spec": from_digest(terms.spec),
        "circuit": "0x" + terms.circuit.hex(),
    }
