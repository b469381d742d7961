"""An aggregator that lies or stalls loses its bond and its place; the project is finished by the next."""

from __future__ import annotations

import pytest

from aggregator.behaviour import Attack
from tests.support.audits import assert_audit_holds
from tests.support.live_market import ROUNDS, LiveMarket, project_file


@pytest.mark.parametrize("attack", [Attack.TAMPER_AGGREGATE, Attack.WITHHOLD])
def test_the_next_aggregator_finishes_the_project(market: LiveMarket, attack: Attack) -> None:
    honest = market.run(market.post(project_file()))
    project = market.post(project_file(**{"rounds.result_window": 12}))
    outcome = market.run(project, aggregator_attacks={0: attack})
    first, second = (str(session.address) for session in market.aggregators)

    assert [event.aggregator for event in outcome.timed_out] == [first]
    bond = market.owner.client.terms(project).aggregator_bond
    assert outcome.timed_out[0].slashed == bond
    assert [event.aggregator for event in outcome.results] == [second] * ROUNDS
    assert all(not event.omitted for event in outcome.results)
    assert [event.x for event in outcome.results] == [event.x for event in honest.results]
    assert outcome.paid_by_round[1] == honest.paid_by_round[1]
    assert 0 <= bond - (sum(outcome.paid_by_round[0]) - sum(honest.paid_by_round[0])) < 10
    assert market.owner.client.aggregator_record(market.aggregators[0].address).faults > 0
    assert_audit_holds(market, project)
