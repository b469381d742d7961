"""Cheats of every role at once: each loses its own, the honest are paid from it, and the audit holds."""

from __future__ import annotations

from aggregator.behaviour import Attack as AggregatorAttack
from marketplace.protocol.shares import round_budget
from tests.support.audits import assert_audit_holds
from tests.support.live_market import PROJECTION, SLOTS, LiveMarket, project_file
from trainer_node.behaviour import Attack

POISONER, SILENT = 1, 4


def test_two_trainers_and_an_aggregator_cheat_in_one_round(market: LiveMarket) -> None:
    """One poisons, one never hands its update over, and the first aggregator alters the sum."""
    windows = {"rounds.submit_window": 30, "rounds.answer_window": 16, "rounds.result_window": 30}
    file = project_file(**PROJECTION, **{"rounds.count": 1, **windows})
    project = market.post(file)
    outcome = market.run(
        project,
        {POISONER: Attack.SIGN_FLIP, SILENT: Attack.WITHHOLD},
        {0: AggregatorAttack.TAMPER_AGGREGATE},
    )
    first, second = (session.address for session in market.aggregators)
    honest = [slot for slot in range(SLOTS) if slot not in (POISONER, SILENT)]
    assert [event.aggregator for event in outcome.timed_out] == [first]
    assert [event.slot for event in outcome.withheld] == [SILENT]
    assert [result.aggregator for result in outcome.results] == [second]
    assert [result.merged for result in outcome.results] == [sum(1 << slot for slot in honest)]
    assert [slot for slot, amount in enumerate(outcome.slashed) if amount] == [POISONER]
    assert [slot for slot, amount in enumerate(outcome.paid) if amount] == honest
    pot = round_budget(10**18, 1, 1, 10**16) + outcome.timed_out[0].slashed + sum(outcome.slashed)
    assert pot - SLOTS < sum(outcome.paid) <= pot
    assert outcome.claimed == outcome.paid
    assert_audit_holds(market, project)
