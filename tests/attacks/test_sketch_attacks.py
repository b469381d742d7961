"""The sketch path under attack, with everybody's daemons and storage nodes at work: who cheats pays, and nobody else.

By default nobody does: tests/unit/aggregator/test_sketch_rounds.py has each attack, on a market stepped by hand.
"""

from __future__ import annotations

import pytest

from aggregator.behaviour import FRIEND
from aggregator.behaviour import Attack as AggregatorAttack
from marketplace.chain.events import (
    Challenged,
    ChunksComplained,
    Released,
    SketchQuestioned,
    SketchRefuted,
    SketchResultPosted,
    fetch,
)
from marketplace.chain.types import ChallengeKind, Status
from marketplace.node.models import fetch_current
from marketplace.node.project import load_project
from marketplace.protocol.shares import round_budget
from marketplace.protocol.sketch_check import SUM
from tests.support.audits import assert_audit_holds
from tests.support.live_market import PROJECTION, SKETCHED, SLOTS, LiveMarket, project_file
from tests.support.outcome import Outcome
from trainer_node.behaviour import Attack

ALL, CHEAT = 2**SLOTS - 1, 2
WINDOWS: dict[str, object] = {
    "rounds.submit_window": 60,
    "rounds.answer_window": 30,
    "rounds.result_window": 120,
    "rounds.challenge_window": 30,
}
POT = round_budget(10**18, 1, 1, 10**16)


def played(
    market: LiveMarket,
    attacks: dict[int, Attack] | None = None,
    aggregator_attacks: dict[int, AggregatorAttack] | None = None,
    **changes: object,
) -> Outcome:
    """A project of one round that settles, whoever cheats: what was earned is claimed, the model is the chain's."""
    file = project_file(**{**PROJECTION, **SKETCHED, **WINDOWS, "rounds.count": 1, **changes})
    outcome = market.run(market.post(file), attacks, aggregator_attacks)
    settled(market, outcome)
    return outcome


def settled(market: LiveMarket, outcome: Outcome) -> None:
    session, project = market.owner, outcome.project
    state, block = session.client.project(project), session.client.latest_block()
    assert state.status is Status.SETTLED
    assert outcome.claimed == outcome.paid
    assert outcome.slashed == [0] * SLOTS
    context = load_project(session.client, session.store, project, session.cache)
    model = fetch_current(context, state, block.number, 20)
    assert context.committer.commit(model) == state.model
    assert_audit_holds(market, project)


def test_a_quiet_project_with_a_reference_pays_everybody(market: LiveMarket) -> None:
    outcome = market.run(market.post(project_file(**SKETCHED, **WINDOWS)))
    settled(market, outcome)
    assert [(result.round, result.present) for result in outcome.results] == [(1, ALL), (2, ALL)]
    assert not fetch(market.owner.client, [Challenged], outcome.project)
    assert not fetch(market.owner.client, [ChunksComplained], outcome.project)
    budget = round_budget(10**18, 2, 1, 10**16)
    assert all(budget - 2 * SLOTS < sum(paid) <= budget for paid in outcome.paid_by_round)
    drawn = fetch(market.owner.client, [SketchResultPosted], outcome.project)
    assert [event.left_out for event in drawn] == [0, 0]


@pytest.mark.deep
def test_a_false_leaf_and_a_false_sketch_of_a_friend_in_one_project(market: LiveMarket) -> None:
    outcome = played(
        market,
        {CHEAT: Attack.FALSE_LEAF, FRIEND: Attack.ACCOMPLICE},
        {0: AggregatorAttack.FRIEND_SKETCH},
    )
    client, terms = market.owner.client, market.owner.client.terms(outcome.project)
    first, second = (session.address for session in market.aggregators)
    assert [event.slot for event in outcome.withheld] == [CHEAT, CHEAT]  # the round is done again
    challenges = fetch(client, [Challenged], outcome.project)
    assert [event.kind for event in challenges] == [ChallengeKind.SKETCH]
    assert [event.facts.slot for event in fetch(client, [SketchQuestioned], outcome.project)] == [SUM]
    assert len(fetch(client, [SketchRefuted], outcome.project)) == 1
    rest = terms.aggregator_bond - terms.complaint_deposit
    assert [(event.aggregator, event.slashed) for event in outcome.undone] == [(first, rest)]
    assert [(result.round, result.aggregator) for result in outcome.results] == [(2, second)]
    assert outcome.paid[CHEAT] == 0
    assert POT + rest - SLOTS < sum(outcome.paid) <= POT + rest
    lost = {
        event.account: terms.trainer_stake - event.amount
        for event in fetch(client, [Released], outcome.project)
        if event.account in outcome.trainers
    }
    cheat = outcome.trainers[CHEAT]
    assert lost.pop(cheat) == 2 * terms.complaint_deposit
    assert set(lost.values()) == {0}


@pytest.mark.deep
def test_who_keeps_its_update_but_for_a_chunk_is_left_out(market: LiveMarket) -> None:
    outcome = played(market, {CHEAT: Attack.ONE_CHUNK})
    assert outcome.paid[CHEAT] == 0
    assert [result.present for result in outcome.results] == [ALL ^ 1 << CHEAT]
    assert not outcome.withheld
    assert POT - SLOTS < sum(outcome.paid) <= POT


@pytest.mark.deep
@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        (AggregatorAttack.WRONG_CHUNK, ChallengeKind.CHUNK),
        (AggregatorAttack.WRONG_SKETCH, ChallengeKind.SKETCH),
        (AggregatorAttack.WITHHOLD_MODEL, ChallengeKind.CHUNK),
    ],
)
def test_what_a_question_uncovers_is_undone_and_done_again(
    market: LiveMarket, attack: AggregatorAttack, kind: ChallengeKind
) -> None:
    # A model that nobody has made before: another project's would be the same blob.
    rate = {AggregatorAttack.WRONG_CHUNK: 0.131, AggregatorAttack.WRONG_SKETCH: 0.132}.get(attack, 0.133)
    outcome = played(market, None, {0: attack}, **{"training.learning_rate": rate})
    first, second = (session.address for session in market.aggregators)
    challenges = fetch(market.owner.client, [Challenged], outcome.project)
    assert [event.kind for event in challenges] == [kind]
    assert [event.aggregator for event in outcome.undone] == [first]
    assert [(result.round, result.aggregator) for result in outcome.results] == [(2, second)]
    assert not outcome.withheld
