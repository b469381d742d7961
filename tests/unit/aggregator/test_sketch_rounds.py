"""Rounds on the sketch path: all roles' daemons play them by themselves, and what is false in them costs its maker.

The project is small (`SKETCHED`), everything else is as it would be: real commitments, trees, questions and answers.
"""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.behaviour import FRIEND, Attack
from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    AggregatorTimedOut,
    ChallengeAnswered,
    Challenged,
    ChunkQuestioned,
    ChunksComplained,
    ChunkShown,
    Released,
    ResultPosted,
    RoundUndone,
    SketchAnswered,
    SketchDrawn,
    SketchQuestioned,
    SketchRefuted,
    SketchResultPosted,
    Transferred,
    UpdateChunkAnswered,
    UpdateWithheld,
    fetch,
)
from marketplace.chain.types import ChallengeKind, Status
from marketplace.node.challenging import raise_challenge
from marketplace.node.sketch.faults import Question
from marketplace.node.sketch.questions import question_call
from marketplace.node.sketch.record import record_of
from marketplace.protocol.sketch_check import SUM
from tests.support.served_market import Served, served
from tests.support.stepped_market import SKETCHED, SLOTS, Ground
from trainer_node.behaviour import Attack as TrainerAttack

DEEP = pytest.mark.deep  # by default: one who is left out, some who lose, one who is right
ALL = 2**SLOTS - 1
CHUNKS, CHEAT = 7, 2
ONE_ROUND = {**SKETCHED, "rounds__count": 1}


def events(game: Served, kind: Any) -> list[Any]:
    return game.play.events(kind)


def settle(game: Served) -> None:
    """To the end, with one result that stands."""
    game.start()
    game.to_the_end()
    assert game.state.status is Status.SETTLED
    assert len(events(game, ResultPosted)) == 1
    assert not events(game, Challenged)


@DEEP
def test_a_quiet_project_settles(ground: Ground) -> None:
    with served(ground, **SKETCHED, settlement__mode="proved") as game:
        game.start()
        game.until_round(2)
        game.add(0)  # from the journal alone
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert [event.round for event in events(game, SketchDrawn)] == [1, 2]
        assert [event.present for event in events(game, ResultPosted)] == [ALL, ALL]
        assert not events(game, Challenged)
        assert not events(game, ChunksComplained)
        assert all(event.fee for event in events(game, ResultPosted))


def test_a_false_leaf_is_complained_about_by_its_chunk_and_costs_its_trainer(ground: Ground) -> None:
    with served(ground, trainer_attacks={CHEAT: TrainerAttack.FALSE_LEAF}, **ONE_ROUND) as game:
        settle(game)
        (complained,) = events(game, ChunksComplained)
        assert (complained.slots, complained.chunks) == (1 << CHEAT, (CHUNKS // 2,))
        terms = game.play.client.terms(game.play.project)
        assert [(e.slot, e.paid) for e in events(game, UpdateWithheld)] == [(CHEAT, terms.complaint_deposit)]
        (result,) = events(game, ResultPosted)
        assert result.present == ALL ^ 1 << CHEAT
        assert result.fee


def test_a_false_leaf_costs_the_whole_stake_where_the_deposit_is_as_much(ground: Ground) -> None:
    stakes = {
        "stakes__trainer": "0.01 eth",
        "stakes__complaint_deposit": "0.01 eth",
        "stakes__aggregator": "0.2 eth",
    }
    with served(ground, trainer_attacks={CHEAT: TrainerAttack.FALSE_LEAF}, **ONE_ROUND, **stakes) as game:
        settle(game)
        (withheld,), (result,) = events(game, UpdateWithheld), events(game, ResultPosted)
        assert (withheld.slot, withheld.paid) == (CHEAT, 10**16)
        client, project = game.play.client, game.play.project
        liar, honest = (game.play.trainers[slot].sender.address for slot in (CHEAT, CHEAT + 1))
        assert client.membership(project, liar).locked == 0
        taken = [(event.to, event.amount) for event in fetch(client, [Transferred]) if event.from_ == liar]
        assert taken[-1] == (game.address(0), 10**16)
        back = {event.account: event.amount for event in events(game, Released)}
        assert (back[honest], back.get(liar, 0)) == (10**16, 0), "its stake is back, whole"
        assert result.present == ALL ^ 1 << CHEAT


def test_who_answers_with_a_chunk_and_keeps_the_rest_is_left_out(ground: Ground) -> None:
    with served(ground, trainer_attacks={CHEAT: TrainerAttack.ONE_CHUNK}, **ONE_ROUND) as game:
        settle(game)
        (answered,) = events(game, UpdateChunkAnswered)
        (complained,) = events(game, ChunksComplained)
        assert (answered.slot, (answered.chunk,)) == (CHEAT, complained.chunks)
        assert not events(game, UpdateWithheld)
        (result,), (sketch,) = events(game, ResultPosted), events(game, SketchResultPosted)
        assert result.present == ALL ^ 1 << CHEAT
        assert sketch.left_out == 1 << CHEAT
        assert (result.fee, result.amounts[CHEAT]) == (0, 0)


@DEEP
def test_who_withholds_all_is_absent_and_pays(ground: Ground) -> None:
    with served(ground, trainer_attacks={CHEAT: TrainerAttack.WITHHOLD}, **ONE_ROUND) as game:
        settle(game)
        assert [event.slot for event in events(game, UpdateWithheld)] == [CHEAT]
        assert [event.present for event in events(game, ResultPosted)] == [ALL ^ 1 << CHEAT]


@DEEP
def test_a_false_complaint_costs_its_deposit(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.FALSE_COMPLAINT}, **ONE_ROUND) as game:
        settle(game)
        assert [event.slot for event in events(game, UpdateChunkAnswered)] == [0]
        assert [event.present for event in events(game, ResultPosted)] == [ALL]
        assert all(event.fee for event in events(game, ResultPosted))


def loses(game: Served, kind: ChallengeKind) -> Challenged:
    """The first aggregator's round is undone, by one challenge of this kind, and the second does it again."""
    game.start()
    game.until(lambda: events(game, RoundUndone))
    (challenged,), (undone,) = events(game, Challenged), events(game, RoundUndone)
    assert challenged.kind is kind
    terms = game.play.client.terms(game.play.project)
    assert undone.aggregator == game.address(0)
    assert undone.slashed == terms.aggregator_bond - terms.complaint_deposit
    game.to_the_end()
    assert game.state.status is Status.SETTLED
    assert [event.aggregator for event in events(game, ResultPosted)] == [game.address(0), game.address(1)]
    assert events(game, ResultPosted)[-1].present == ALL
    assert not events(game, UpdateWithheld)
    return challenged  # type: ignore[no-any-return]


def test_who_merges_a_chunk_wrongly_cannot_show_it(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.WRONG_CHUNK}, **ONE_ROUND) as game:
        loses(game, ChallengeKind.CHUNK)
        (asked,) = events(game, ChunkQuestioned)
        assert asked.facts.chunk == CHUNKS // 2


def test_who_posts_through_a_contract_hides_nothing_that_is_asked_about(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MarketClient, "transaction_input", lambda *_: b"a contract's own call")
    with served(ground, attacks={0: Attack.WRONG_CHUNK}, **ONE_ROUND) as game:
        loses(game, ChallengeKind.CHUNK)


@DEEP
def test_a_false_sketch_is_contested_by_its_trainer(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.WRONG_SKETCH}, **ONE_ROUND) as game:
        challenged = loses(game, ChallengeKind.SKETCH)
        (asked,) = events(game, SketchQuestioned)
        assert asked.facts.slot == FRIEND
        assert challenged.challenger == game.play.trainers[FRIEND].sender.address
        assert not events(game, SketchAnswered)


def test_a_friends_false_sketch_shows_in_the_sum_and_a_false_answer_is_refuted(ground: Ground) -> None:
    with served(
        ground,
        attacks={0: Attack.FRIEND_SKETCH},
        trainer_attacks={FRIEND: TrainerAttack.ACCOMPLICE},
        **ONE_ROUND,
    ) as game:
        loses(game, ChallengeKind.SKETCH)
        assert events(game, ResultPosted)[0].merged >> FRIEND & 1
        assert [event.facts.slot for event in events(game, SketchQuestioned)] == [SUM]
        assert len(events(game, SketchAnswered)) == 1
        assert [event.chunk for event in events(game, SketchRefuted)] == [0]


@DEEP
def test_a_lie_about_a_slots_sketch_is_refuted_by_its_trainer(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.FRIEND_SKETCH}, **ONE_ROUND) as game:
        loses(game, ChallengeKind.SKETCH)
        assert [event.facts.slot for event in events(game, SketchQuestioned)] == [FRIEND]
        assert [event.chunk for event in events(game, SketchRefuted)] == [0]


@DEEP
def test_who_hides_the_rounds_files_is_asked_for_a_chunk(ground: Ground) -> None:
    hidden = {**ONE_ROUND, "training__learning_rate": 0.06}
    with served(ground, attacks={0: Attack.WITHHOLD_MODEL}, **hidden) as game:
        loses(game, ChallengeKind.CHUNK)


@DEEP
def test_a_chunk_that_others_cannot_fetch_is_shown_and_asked_for_once(ground: Ground) -> None:
    with served(ground, private={0}, **{**ONE_ROUND, "training__learning_rate": 0.07}) as game:
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert len(events(game, ChunkQuestioned)) == len(events(game, ChunkShown)) == 1
        assert not events(game, RoundUndone)


@DEEP
def test_another_that_has_the_files_shows_the_chunk(ground: Ground) -> None:
    with served(ground, private={0}, **{**ONE_ROUND, "training__learning_rate": 0.05}) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        shelf: Any = game.duties[0].context.store
        other: Any = game.duties[1].context.store
        other.blobs |= shelf.blobs
        game.stop(0)
        game.until(lambda: events(game, ChallengeAnswered) or events(game, RoundUndone))
        (answered,) = events(game, ChunkShown)
        called = game.play.client.web3.eth.get_transaction(answered.transaction_hash)
        assert called["from"] == game.address(1)


@pytest.mark.parametrize("slot", [pytest.param(CHEAT, marks=DEEP), SUM])
def test_an_honest_aggregator_answers_for_its_sketches_and_is_paid_for_it(ground: Ground, slot: int) -> None:
    with served(ground, **ONE_ROUND) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        asker, block = game.play.trainers[0], game.play.client.latest_block()
        record = record_of(asker.context, 1, block.number)
        question = Question(ChallengeKind.SKETCH, 0, "to see what comes", slot)
        assert raise_challenge(asker, 1, question.name, question_call(asker.context, record, question))
        game.add(0)  # from the journal alone
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert len(events(game, SketchAnswered)) == 1
        assert [event.kind for event in events(game, ChallengeAnswered)] == [ChallengeKind.SKETCH]
        assert not events(game, SketchRefuted)
        assert not events(game, RoundUndone)


@DEEP
def test_a_proof_that_is_demanded_is_given(ground: Ground) -> None:
    with served(ground, demand_rate=1.0, **ONE_ROUND) as game:
        game.start()
        game.to_the_end()
        assert {event.kind for event in events(game, ChallengeAnswered)} == {ChallengeKind.PROOF}
        assert not events(game, RoundUndone)
        assert game.state.status is Status.SETTLED


@DEEP
def test_who_posts_a_false_gram_matrix_loses_bond_and_place(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.FALSE_GRAM}, **ONE_ROUND) as game:
        loses(game, ChallengeKind.PROOF)


@DEEP
def test_lies_are_refused_on_chain_and_the_next_aggregator_takes_over(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.TAMPER_AGGREGATE}, settlement__mode="proved", **ONE_ROUND) as game:
        settle(game)
        assert [event.aggregator for event in events(game, AggregatorTimedOut)] == [game.address(0)]
        assert [event.aggregator for event in events(game, ResultPosted)] == [game.address(1)]


@DEEP
def test_two_cohorts_are_merged_one_after_another(ground: Ground) -> None:
    with served(ground, trainers=2 * SLOTS, cohort__cohorts=2, **ONE_ROUND) as game:
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert sorted(event.cohort for event in events(game, ResultPosted)) == [0, 1]
        assert not events(game, Challenged)
