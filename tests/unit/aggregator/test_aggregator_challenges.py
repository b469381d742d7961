"""Challenges of an aggregator's results: answered by an honest one, lost by one that cheated.

Projects alike have models alike, on one shelf: where a model is to be missing, the learning rate is the test's own.
"""

from __future__ import annotations

from typing import Any

from aggregator.behaviour import Attack
from marketplace.chain.events import (
    AggregatorTimedOut,
    ChallengeAnswered,
    Challenged,
    ResultPosted,
    RoundUndone,
    UpdateAnswered,
)
from marketplace.chain.types import ChallengeKind, Status
from tests.support.served_market import Served, served
from tests.support.stepped_market import SLOTS, Ground

ALL = 2**SLOTS - 1


def events(game: Served, kind: Any) -> list[Any]:
    return game.play.events(kind)


def test_a_proof_that_is_demanded_is_given(ground: Ground) -> None:
    with served(ground, demand_rate=1.0, rounds__count=1) as game:
        game.start()
        game.until(lambda: events(game, Challenged))
        game.add(0)  # from the journal alone
        game.to_the_end()
        assert [event.kind for event in events(game, ChallengeAnswered)] == [ChallengeKind.PROOF]
        assert not events(game, RoundUndone)
        assert game.state.status is Status.SETTLED


def test_a_model_that_others_cannot_fetch_is_shown(ground: Ground) -> None:
    with served(ground, private={0}, training__learning_rate=0.07) as game:
        game.start()
        game.until_round(2)
        game.until(lambda: len(events(game, ResultPosted)) == 2)
        assert [(e.kind, e.round) for e in events(game, ChallengeAnswered)] == [(ChallengeKind.MODEL, 1)]
        assert not events(game, RoundUndone)


def test_another_that_holds_the_model_shows_it_in_the_second_half_of_the_window(ground: Ground) -> None:
    with served(ground, private={0}, rounds__count=1, training__learning_rate=0.05) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        shelf: Any = game.duties[0].context.store
        other: Any = game.duties[1].context.store
        other.blobs |= shelf.blobs
        game.stop(0)
        game.until(lambda: events(game, ChallengeAnswered) or events(game, RoundUndone))
        (challenged,), (answered,) = events(game, Challenged), events(game, ChallengeAnswered)
        assert (challenged.kind, answered.kind) == (ChallengeKind.MODEL, ChallengeKind.MODEL)
        client = game.play.client
        half = client.terms(game.play.project).answer_window // 2
        assert challenged.deadline - half <= client.block(answered.block_number).timestamp
        called = client.web3.eth.get_transaction(answered.transaction_hash)
        assert called["from"] == game.address(1)
        assert client.claimable(game.play.project, game.address(0)), "the accused keeps what it earned"


def test_who_hides_the_model_loses_bond_and_place(ground: Ground) -> None:
    with served(
        ground, attacks={0: Attack.WITHHOLD_MODEL}, rounds__count=1, training__learning_rate=0.06
    ) as game:
        _loses(game, ChallengeKind.MODEL)


def test_who_posts_a_false_gram_matrix_loses_bond_and_place(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.FALSE_GRAM}, rounds__count=1) as game:
        _loses(game, ChallengeKind.PROOF)


def _loses(game: Served, kind: ChallengeKind) -> None:
    game.start()
    game.until(lambda: events(game, RoundUndone))
    assert [event.kind for event in events(game, Challenged)] == [kind]
    (undone,) = events(game, RoundUndone)
    terms = game.play.client.terms(game.play.project)
    assert undone.aggregator == game.address(0)
    assert undone.slashed == terms.aggregator_bond - terms.complaint_deposit
    game.to_the_end()
    assert game.state.status is Status.SETTLED
    assert [event.aggregator for event in events(game, ResultPosted)] == [game.address(0), game.address(1)]
    assert events(game, ResultPosted)[-1].present == ALL


def test_a_false_complaint_costs_its_deposit(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.FALSE_COMPLAINT}, rounds__count=1) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        assert [event.slot for event in events(game, UpdateAnswered)] == [0]
        assert [event.present for event in events(game, ResultPosted)] == [ALL]
        terms = game.play.client.terms(game.play.project)
        locked = game.play.client.membership(game.play.project, game.address(0)).locked
        assert locked == terms.aggregator_bond - terms.complaint_deposit


def test_lies_are_refused_on_chain(ground: Ground) -> None:
    with served(
        ground, attacks={0: Attack.TAMPER_AGGREGATE}, rounds__count=1, settlement__mode="proved"
    ) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        assert [event.aggregator for event in events(game, AggregatorTimedOut)] == [game.address(0)]
        assert [event.aggregator for event in events(game, ResultPosted)] == [game.address(1)]
