"""What taking part costs and may bring, before anything is signed."""

from __future__ import annotations

from marketplace.chain.types import Settlement, Terms
from marketplace.node.estimate import estimate_vectors
from marketplace.protocol.shares import round_budget

# Gas of whole transactions in the native coin at K = 10, as benchmarks/gas.py measures them (docs/gas.md): for calls
# that cannot be simulated before others have been made. Results: the mean over five rounds.
TYPICAL_GAS = {
    "deposit": 47_000,
    "join": 119_000,
    "joinAsAggregator": 137_000,
    "submit": 65_000,
    "postResult": 1_300_000,
    "postResultOnDemand": 350_000,
    "challenge": 150_000,
    "release": 90_000,
    "claim": 45_000,
}

_FEE_MARGIN = 2  # a transaction is offered with twice the base fee
_NEXT = {  # by role: what a node must always be able to pay for
    "trainer": ("submit", "release", "claim"),
    "aggregator": ("postResult", "release", "claim"),
    "owner": ("submit", "claim"),  # a reference is submitted as an update is
}


def next_gas(role: str) -> int:
    """Gas of the transactions that a node of this role may have to make next."""
    return sum(TYPICAL_GAS[name] for name in _NEXT[role])


def next_cost(role: str, gas_price: int) -> int:
    """Wei that they may take at most, as their fees are offered."""
    return _FEE_MARGIN * gas_price * next_gas(role)


def trainer_costs(terms: Terms, gas_price: int) -> dict[str, str]:
    """Stake, gas and the reward of an average trainer, as decimal strings in smallest units (gas in wei).

    On the sketch path also what its vectors take, in words.
    """
    gas = (
        TYPICAL_GAS["deposit"]
        + TYPICAL_GAS["join"]
        + terms.rounds * TYPICAL_GAS["submit"]
        + TYPICAL_GAS["release"]
        + TYPICAL_GAS["claim"]
    )
    drawn = min(terms.slots * terms.cohorts, terms.trainers)  # seats of a round that can be taken
    paid = round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee) * (
        terms.rounds * terms.cohorts
    )
    merged = terms.cohorts * (terms.slots - terms.faults)
    return {
        "stake": str(terms.trainer_stake),
        "gas": str(gas),
        "gas_cost_wei": str(gas * gas_price),
        "complaint_deposit": str(terms.complaint_deposit),
        "reward_of_an_average_trainer": str(paid // terms.trainers),
        "reward_of_an_average_merged_trainer": str(paid * drawn // (merged * terms.trainers)),
        **_large_model(terms),
    }


def aggregator_costs(terms: Terms, gas_price: int) -> dict[str, str]:
    """Bond, gas and fees of an aggregator that concludes every round; on the sketch path as `trainer_costs`."""
    proved = terms.settlement is Settlement.PROVED
    results = terms.rounds * terms.cohorts
    gas = (
        TYPICAL_GAS["deposit"]
        + TYPICAL_GAS["joinAsAggregator"]
        + results * TYPICAL_GAS["postResult" if proved else "postResultOnDemand"]
        + TYPICAL_GAS["release"]
        + TYPICAL_GAS["claim"]
    )
    return {
        "bond": str(terms.aggregator_bond),
        "gas": str(gas),
        "gas_cost_wei": str(gas * gas_price),
        "fees": str(terms.aggregator_fee * results),
        **_large_model(terms),
    }


def _large_model(terms: Terms) -> dict[str, str]:
    """On the sketch path: what its vectors take, in words."""
    if not terms.chunks:
        return {}
    return {"large_model": estimate_vectors(terms.chunks, terms.chunk_length).in_words()}
