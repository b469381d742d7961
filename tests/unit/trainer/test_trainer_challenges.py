"""A trainer watches over closed rounds: models that cannot be had, results that are false, rounds that are undone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    ChallengeAnswered,
    Challenged,
    ResultPosted,
    RoundOpened,
    RoundUndone,
    UpdateSubmitted,
)
from marketplace.chain.types import ChallengeKind, Status
from marketplace.node.models import current_model, fetch_current
from marketplace.node.openings import opening_of
from marketplace.node.outcomes import chain_of, outcomes
from marketplace.storage.cid import digest_of, from_digest
from marketplace.updates.codec import pack_model
from tests.support.stepped_market import SLOTS, WINDOWS, Ground, Play, play, trainer_address

HALF = WINDOWS["challenge"] // 2


def first_round(game: Play, *, lie: int = 0, hide_model: bool = False) -> str:
    """Round 1 with its result; the model's CID."""
    game.start()
    game.submit()
    boss = game.aggregators[0]
    result = boss.result(boss.opened(), lie)
    cid = from_digest(result.model)
    if hide_model:
        game.ground.store.hidden.add(cid)
    boss.post(result)
    return cid


def test_a_model_that_can_be_had_is_not_challenged(ground: Ground) -> None:
    with play(ground) as game:
        first_round(game)
        game.step(game.state.challenge_deadline - 10)
        game.step(game.state.challenge_deadline + 60)
        assert not game.events(Challenged)
        assert len(game.events(UpdateSubmitted)) == 2 * SLOTS


def test_a_model_that_nobody_has_is_challenged_once_and_its_answer_is_trained_on(ground: Ground) -> None:
    with play(ground) as game:
        cid = first_round(game, hide_model=True)
        game.step()
        assert not game.events(Challenged)  # others may still fetch it
        game.step(game.state.challenge_deadline - HALF)
        (challenged,) = game.events(Challenged)
        assert (challenged.kind, challenged.round) == (ChallengeKind.MODEL, 1)  # type: ignore[attr-defined]
        game.step()
        assert len(game.events(Challenged)) == 1
        boss = game.aggregators[0]
        boss.send("answerModel", game.project, opening_of(boss.context, boss.model).to_abi())
        assert game.events(ChallengeAnswered)
        state, block = game.state, game.client.latest_block().number
        assert (fetch_current(boss.context, state, block, 1) == boss.model).all()
        game.step()
        submitted = game.events(UpdateSubmitted)
        assert len(submitted) == 2 * SLOTS
        assert ground.store.blobs[cid]
        game.submit()
        assert game.aggregators[0].opened()
        assert len(game.events(Challenged)) == 1


def test_a_model_that_is_not_answered_for_is_undone_and_made_again(ground: Ground) -> None:
    with play(ground) as game:
        first_round(game, hide_model=True)
        before = game.state
        game.step(before.challenge_deadline - HALF)
        deadline = game.client.challenge(game.project).deadline
        game.step(deadline + 60)
        (undone,) = game.events(RoundUndone)
        terms = game.client.terms(game.project)
        assert (undone.round, (undone.x, undone.y)) == (1, terms.initial_model)  # type: ignore[attr-defined]
        state = game.state
        assert (state.aggregator_index, state.round, state.last_round) == (1, 3, 4)
        reserve = game.aggregators[1]
        reference = current_model(reserve.context, state, game.client.latest_block().number)
        assert (reference.round, reference.commitment) == (0, terms.initial_model)
        for _ in range(2):
            game.submit()
            reserve.post(reserve.result(reserve.opened()))
            game.step()
        assert game.state.status is Status.CLOSING
        game.step(game.state.challenge_deadline + 60)
        game.step()
        assert game.state.status is Status.SETTLED
        assert [event.round for event in game.events(RoundOpened)] == [1, 2, 3, 4]  # type: ignore[attr-defined]


def test_who_challenges_puts_up_the_deposit_and_gets_it_back_with_as_much_again(ground: Ground) -> None:
    with play(ground) as game:
        first_round(game, hide_model=True)
        game.step(game.state.challenge_deadline - HALF)
        (challenged,) = game.events(Challenged)
        game.step(challenged.deadline + 60)  # type: ignore[attr-defined]
        terms = game.client.terms(game.project)
        free = game.client.vault.free(terms.token, challenged.challenger)  # type: ignore[attr-defined]
        assert free >= 2 * terms.complaint_deposit


def test_outcomes_are_those_that_the_chain_holds(ground: Ground) -> None:
    with play(ground) as game:
        first_round(game)
        found = outcomes(game.client, game.project)
        assert chain_of(found) == game.state.outcome
        (posted,) = game.events(ResultPosted)
        assert sum(found[0].amounts) == sum(posted.amounts)  # type: ignore[attr-defined]


def test_a_result_that_lies_about_our_update_is_to_be_proved(ground: Ground) -> None:
    with play(ground) as game:
        first_round(game, lie=1)
        game.step()
        (challenged,) = game.events(Challenged)
        assert (challenged.kind, challenged.cohort) == (ChallengeKind.PROOF, 0)  # type: ignore[attr-defined]
        assert challenged.challenger == trainer_address(0)  # type: ignore[attr-defined]
        game.step(challenged.deadline + 60)  # type: ignore[attr-defined]
        assert game.events(RoundUndone)


def test_a_result_posted_through_a_contract_is_to_be_proved(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    with play(ground) as game:
        first_round(game, lie=1)
        monkeypatch.setattr(MarketClient, "transaction_input", lambda *_: b"a contract's own call")
        game.step()
        (challenged,) = game.events(Challenged)
        assert challenged.kind is ChallengeKind.PROOF  # type: ignore[attr-defined]
        game.step(challenged.deadline + 60)  # type: ignore[attr-defined]
        assert game.events(RoundUndone)


@pytest.mark.parametrize(("rate", "challenges"), [(0.0, 0), (1.0, 1)])
def test_true_results_are_doubted_as_often_as_wanted(ground: Ground, rate: float, challenges: int) -> None:
    with play(ground, demand_rate=rate) as game:
        first_round(game)
        game.step()
        game.step()
        assert len(game.events(Challenged)) == challenges


def test_another_model_under_its_name_is_challenged_at_once(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        result = boss.result(boss.opened())
        false = ground.store.add(pack_model(boss.model + np.int32(1)))
        boss.post(dataclasses.replace(result, model=digest_of(false)))
        game.step()
        (challenged,) = game.events(Challenged)
        assert challenged.kind is ChallengeKind.MODEL  # type: ignore[attr-defined]


def test_a_round_of_two_cohorts_is_undone_as_a_whole(ground: Ground) -> None:
    with play(ground, trainers=2 * SLOTS, cohort__cohorts=2, rounds__count=1) as game:
        game.start()
        game.submit()
        boss, before = game.aggregators[0], game.state
        assert before.cohorts == 2
        for cohort in range(2):
            updates = boss.opened(cohort=cohort)
            assert sorted(updates) == list(range(SLOTS))
            result = boss.result(updates, cohort=cohort)
            boss.post(result)
        first, second = outcomes(game.client, game.project)
        assert (first.cohort, second.cohort, first.model) == (0, 1, before.model)
        assert (
            fetch_current(boss.context, game.state, game.client.latest_block().number, 1) == boss.model
        ).all()
        game.ground.store.hidden.add(from_digest(result.model))
        game.step(game.state.challenge_deadline - HALF)
        (challenged,) = game.events(Challenged)
        game.step(challenged.deadline + 60)  # type: ignore[attr-defined]
        after = game.state
        assert (after.model, after.escrow) == (before.model, before.escrow)
        assert after.status is Status.ACTIVE
