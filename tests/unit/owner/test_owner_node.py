"""The owner's node on a real market: references, complaints about them, the reveal and the refund."""

from __future__ import annotations

import numpy as np
import pytest

from marketplace.chain.events import (
    ChallengeAnswered,
    Challenged,
    Claimed,
    KeyResealed,
    ProjectEnded,
    ReferenceSubmitted,
    ResultPosted,
    RoundUndone,
    UpdateAnswered,
    ValidationRevealed,
)
from marketplace.chain.types import ChallengeKind, Status
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import save_npz
from marketplace.node import logging
from marketplace.node.dues import claim, collect_dues
from marketplace.node.models import fetch_current
from marketplace.owner.node import PATIENCE_S, secret_of
from marketplace.owner.reference import reference_update
from marketplace.protocol.shares import amounts, round_budget
from marketplace.storage.cid import cid_of, from_digest
from tests.support.reference_game import Game, ReferenceGround, started
from tests.support.stepped_market import OWNER, SLOTS, WINDOWS, iris_part


def test_a_project_from_its_first_reference_to_the_refund(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.start_node()
        for round_ in (1, 2):
            game.play.submit()
            made = game.reference()
            assert made is not None
            game.boss.post(game.result())
            posted = game.play.events(ResultPosted)[-1]
            assert posted.round == round_  # type: ignore[attr-defined]
            game.play.step()
        assert game.play.state.status is Status.CLOSING
        game.play.step()
        assert game.play.state.revealed
        (revealed,) = game.play.events(ValidationRevealed)
        cid = from_digest(revealed.validation)  # type: ignore[attr-defined]
        assert cid_of(ground.store.blobs[cid]) == cid
        game.play.step(game.play.state.challenge_deadline + 60)
        game.play.step()
        assert game.play.state.status is Status.SETTLED
        (ended,) = game.play.events(ProjectEnded)
        claimed = game.play.client.claimable(game.play.project, game.play.state.owner)
        assert (ended.refund > 0, claimed) == (True, 0)  # type: ignore[attr-defined]
        assert [model.round for model in game.models] == [1, 2]
        assert all(model.accuracy is not None for model in game.models)


def test_what_comes_after_a_claim_is_claimed_as_well(ground: ReferenceGround) -> None:
    """As after a reorganisation that put the claim before what settled the project."""
    with started(ground) as game:
        _to_the_reveal(game)
        client, sender, owner = game.play.client, game.node.sender, game.play.state.owner
        block = game.play.at(game.play.state.challenge_deadline)
        assert game.play.state.status is Status.CLOSING
        bond = client.terms(game.play.project).reveal_bond
        assert claim(client, sender, game.play.project, block) == bond > 0
        assert claim(client, sender, game.play.project, block) == bond, "which is the same claim"
        game.play.step(client.latest_block().timestamp + 60)
        game.play.step()
        (ended,) = game.play.events(ProjectEnded)
        claims = [event for event in game.play.events(Claimed) if event.account == owner]  # type: ignore[attr-defined]
        assert [event.amount for event in claims] == [bond, ended.refund]  # type: ignore[attr-defined]
        assert client.claimable(game.play.project, owner) == 0


def test_a_claim_that_another_made_for_us_is_no_error(ground: ReferenceGround) -> None:
    with started(ground) as game:
        _to_the_reveal(game)
        before = game.play.at(game.play.state.challenge_deadline)
        game.boss.send("settle", game.play.project)
        game.boss.send("claim", game.play.project, game.play.state.owner)
        context, sender = game.boss.context, game.node.sender
        collect_dues(context, sender, before, logging.logger())
        claims = [event.account for event in game.play.events(Claimed)]  # type: ignore[attr-defined]
        assert claims.count(game.play.state.owner) == 1


def test_the_reference_is_the_recipe_s_and_pays(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.start_node()
        context, state = game.boss.context, game.boss.state
        model = fetch_current(context, state, game.play.client.latest_block().number)
        game.play.submit()
        made = game.reference()
        assert made is not None
        expected = reference_update(context.spec, context.task, model, iris_part(7), 1)
        assert np.array_equal(made.update, expected)
        assert expected.any()
        again = reference_update(context.spec, context.task, model, iris_part(7), 2)
        assert not np.array_equal(again, expected), "each round has an order of its own"

        terms, (_, verdict) = context.terms, game.judged()
        game.boss.post(game.result())
        (posted,) = game.play.events(ResultPosted)
        budget = round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
        assert verdict.by_reference
        assert posted.amounts == amounts(verdict, budget, terms.reference_share)  # type: ignore[attr-defined]


def test_the_reference_is_hidden_until_the_window_closes(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.play.stop_trainer(5)
        game.start_node()
        game.play.step()
        (made,) = game.play.events(ReferenceSubmitted)
        blob = from_digest(made.blob)  # type: ignore[attr-defined]
        game.play.step()
        assert blob not in ground.store.blobs
        game.play.step(game.play.state.submit_deadline)
        assert blob in ground.store.blobs


def test_the_window_waits_for_the_reference(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.play.step()
        assert game.play.client.latest_block().timestamp < game.play.state.submit_deadline
        game.start_node()
        game.play.step()
        assert game.play.client.latest_block().timestamp >= game.play.state.submit_deadline


def test_a_restarted_node_submits_once_and_answers_for_it(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.start_node()
        game.play.submit()
        before = game.play.events(ReferenceSubmitted)
        game.start_node()
        game.boss.complain(1 << SLOTS)
        game.play.step()
        assert game.play.events(ReferenceSubmitted) == before
        (answer,) = game.play.events(UpdateAnswered)
        made = game.reference()
        assert made is not None
        assert answer.slot == SLOTS  # type: ignore[attr-defined]
        assert answer.packed == made.update.astype("<i2").tobytes()  # type: ignore[attr-defined]


def test_the_key_is_sealed_anew_after_a_take_over(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.start_node()
        game.play.submit()
        game.play.step(game.play.state.result_deadline + 60)
        game.play.step()
        owner = game.play.state.owner
        keys = [event for event in game.play.events(KeyResealed) if event.sender == owner]  # type: ignore[attr-defined]
        assert len(keys) == 1


def test_a_round_without_the_node_is_paid_by_the_fallback_rule(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.play.step()
        game.play.step(game.play.state.submit_deadline)
        game.play.step()
        assert game.reference() is None
        game.boss.post(game.result())
        (posted,) = game.play.events(ResultPosted)
        assert sum(posted.amounts) > 0  # type: ignore[attr-defined]


def test_another_validation_set_than_the_posted_one_is_refused(ground: ReferenceGround) -> None:
    with started(ground) as game, ground.session(OWNER) as session:
        context = game.boss.context
        other = ground.folder / "other.npz"
        save_npz(other, iris_part(3))
        with pytest.raises(FairshareError) as caught:
            secret_of(context, session.journal, other)
        assert caught.value.reason is Reason.INTEGRITY
        assert secret_of(context, session.journal, None) is not None
    with started(ground) as game, ground.session(9) as stranger:
        with pytest.raises(FairshareError) as caught:
            secret_of(game.boss.context, stranger.journal, None)
        assert caught.value.reason is Reason.NOT_FOUND


def test_a_model_that_nobody_serves_is_challenged_after_the_trainers_turns(ground: ReferenceGround) -> None:
    with started(ground) as game:
        game.start_node()
        game.play.submit()
        result = game.result()
        cid = from_digest(result.model)
        ground.store.hidden.add(cid)
        game.boss.post(result)
        for index in range(SLOTS):
            game.play.stop_trainer(index)
        deadline = game.play.state.challenge_deadline
        game.play.step(deadline - WINDOWS["challenge"] // 2)  # a trainer's turn, were there one
        assert not game.play.events(Challenged)
        game.play.step(deadline - WINDOWS["challenge"] // 4)
        game.play.step()
        (challenged,) = game.play.events(Challenged)
        assert (challenged.kind, challenged.challenger) == (  # type: ignore[attr-defined]
            ChallengeKind.MODEL,
            game.play.state.owner,
        )
        ground.store.hidden.clear()
        game.play.step(challenged.deadline - WINDOWS["answer"] // 8)  # type: ignore[attr-defined]
        assert game.play.events(ChallengeAnswered), "and shown by the same node, once it can be had"


def test_the_owner_undoes_a_round_whose_model_nobody_shows(ground: ReferenceGround) -> None:
    """Its reference waits for a model that it cannot fetch; the undo does not."""
    with started(ground) as game:
        game.start_node()
        game.play.submit()
        result = game.result()
        ground.store.hidden.add(from_digest(result.model))
        game.boss.post(result)
        for index in range(SLOTS):
            game.play.stop_trainer(index)
        game.play.step(game.play.state.challenge_deadline - WINDOWS["challenge"] // 4)
        game.play.step()
        (challenged,) = game.play.events(Challenged)
        game.play.step(challenged.deadline + 2 * PATIENCE_S)  # type: ignore[attr-defined]
        game.play.step()
        assert game.play.events(RoundUndone)
        ground.store.hidden.clear()


def _to_the_reveal(game: Game) -> None:
    game.start_node()
    for _ in (1, 2):
        game.play.submit()
        game.boss.post(game.result())
        game.play.step()
    game.play.step()
    assert game.play.state.revealed
