"""An aggregator that lies or stalls loses its bond and its place; the round is finished, or done again, by the next."""

from __future__ import annotations

import pytest

from aggregator.behaviour import Attack
from marketplace.chain.events import Challenged, Released, fetch
from marketplace.chain.types import ChallengeKind
from marketplace.protocol.shares import round_budget
from tests.support.audits import assert_audit_holds
from tests.support.live_market import PROJECTION, SLOTS, LiveMarket, project_file
from tests.support.outcome import Outcome

POT = round_budget(10**18, 1, 1, 10**16)


def under(market: LiveMarket, attack: Attack | None = None, **changes: object) -> Outcome:
    """A project of one round whose first aggregator does this; everybody is paid and the audit holds."""
    project = market.post(project_file(**PROJECTION, **{"rounds.count": 1, **changes}))
    outcome = market.run(project, aggregator_attacks={0: attack} if attack else {})
    assert outcome.slashed == [0] * SLOTS
    assert outcome.claimed == outcome.paid
    assert outcome.withheld == []
    assert_audit_holds(market, project)
    return outcome


@pytest.fixture(scope="module")
def honest(market: LiveMarket) -> Outcome:
    return under(market)


# By default test_several_attacks.py has the first, and unit/aggregator/test_aggregator_rounds.py the second.
@pytest.mark.deep
@pytest.mark.parametrize("attack", [Attack.TAMPER_AGGREGATE, Attack.WITHHOLD])
def test_the_next_aggregator_finishes_the_round(market: LiveMarket, honest: Outcome, attack: Attack) -> None:
    outcome = under(market, attack, **{"rounds.result_window": 20})
    first, second = (session.address for session in market.aggregators)
    bond = market.owner.client.terms(outcome.project).aggregator_bond
    assert [(event.aggregator, event.slashed) for event in outcome.timed_out] == [(first, bond)]
    assert [result.aggregator for result in outcome.results] == [second]
    assert [result.x for result in outcome.results] == [result.x for result in honest.results]
    assert POT + bond - SLOTS < sum(outcome.paid) <= POT + bond
    assert market.owner.client.aggregator_record(first).faults > 0


@pytest.mark.deep
def test_a_false_complaint_costs_the_aggregator_and_changes_nothing(
    market: LiveMarket, honest: Outcome
) -> None:
    outcome = under(market, Attack.FALSE_COMPLAINT)
    terms, first = market.owner.client.terms(outcome.project), market.aggregators[0].address
    assert [event.slot for event in outcome.answered] == [0]
    assert outcome.paid == honest.paid
    assert [result.x for result in outcome.results] == [result.x for result in honest.results]
    released = fetch(market.owner.client, [Released], outcome.project)
    left = [event.amount for event in released if event.account == first]
    assert left == [terms.aggregator_bond - terms.complaint_deposit]


@pytest.mark.parametrize(
    ("attack", "kind", "changes"),
    [
        # A model that nobody has made before: another project's would be the same blob.
        pytest.param(
            Attack.WITHHOLD_MODEL,
            ChallengeKind.MODEL,
            {"training.learning_rate": 0.137, "rounds.submit_window": 40, "rounds.challenge_window": 40},
            marks=pytest.mark.deep,  # everybody looks for the model in vain, for seconds each time
        ),
        (Attack.FALSE_GRAM, ChallengeKind.PROOF, {"settlement.mode": "on-demand"}),
    ],
)
def test_what_a_challenge_uncovers_is_undone_and_done_again(
    market: LiveMarket, attack: Attack, kind: ChallengeKind, changes: dict[str, object]
) -> None:
    outcome = under(market, attack, **changes)
    terms = market.owner.client.terms(outcome.project)
    first, second = (session.address for session in market.aggregators)
    challenges = fetch(market.owner.client, [Challenged], outcome.project)
    assert [event.kind for event in challenges] == [kind]
    rest = terms.aggregator_bond - terms.complaint_deposit
    assert [(event.round, event.aggregator, event.slashed) for event in outcome.undone] == [(1, first, rest)]
    assert [(result.round, result.aggregator) for result in outcome.results] == [(2, second)]
    assert POT + rest - SLOTS < sum(outcome.paid) <= POT + rest
