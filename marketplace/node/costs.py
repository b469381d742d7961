"""What taking part costs and may bring, before anything is signed."""

from __future__ import annotations

from marketplace.chain.types import Terms
from marketplace.protocol.shares import round_budget

# Gas of whole transactions in the native coin at K = 10, as benchmarks/gas.py measures them (docs/gas.md): for calls
# that cannot be simulated before others have been made. postResult: the mean over five rounds.
TYPICAL_GAS = {
    "deposit": 47_000,
    "join": 119_000,
    "joinAsAggregator": 137_000,
    "submit": 65_000,
    "postResult": 1_300_000,
    "release": 63_000,
    "claim": 32_000,
}


def trainer_costs(terms: Terms, gas_price: int) -> dict[str, str]:
    """Stake, gas and the reward of an average trainer, as decimal strings in smallest units (gas in wei)."""
    gas = (
        TYPICAL_GAS["deposit"]
        + TYPICAL_GAS["join"]
        + terms.rounds * TYPICAL_GAS["submit"]
        + TYPICAL_GAS["release"]
        + TYPICAL_GAS["claim"]
    )
    budget = round_budget(terms.reward, terms.rounds, terms.aggregator_fee)
    return {
        "stake": str(terms.trainer_stake),
        "gas": str(gas),
        "gas_cost_wei": str(gas * gas_price),
        "reward_of_an_average_trainer": str(budget * terms.rounds // terms.slots),
        "reward_of_an_average_merged_trainer": str(budget * terms.rounds // (terms.slots - terms.faults)),
    }


def aggregator_costs(terms: Terms, gas_price: int) -> dict[str, str]:
    """Bond, gas and fees of an aggregator that concludes every round."""
    gas = (
        TYPICAL_GAS["deposit"]
        + TYPICAL_GAS["joinAsAggregator"]
        + terms.rounds * TYPICAL_GAS["postResult"]
        + TYPICAL_GAS["release"]
        + TYPICAL_GAS["claim"]
    )
    return {
        "bond": str(terms.aggregator_bond),
        "gas": str(gas),
        "gas_cost_wei": str(gas * gas_price),
        "fees": str(terms.aggregator_fee * terms.rounds),
    }
