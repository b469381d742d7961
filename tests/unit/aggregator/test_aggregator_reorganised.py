"""Aggregators on a chain that is reorganised: a result that vanished is posted again, with the proof that there is."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from aggregator import proof_queue, turn
from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    BatchPosted,
    Challenged,
    ProjectStarted,
    ResultPosted,
    SketchDrawn,
    UpdatesComplained,
    UpdateSubmitted,
)
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.node import arrivals as arrivals_module
from marketplace.node.lifecycle import is_transient
from marketplace.node.models import current_model
from tests.support.reorganised import reorganise
from tests.support.served_market import OFTEN, Served, served
from tests.support.stepped_market import SKETCHED, SLOTS, Ground
from trainer_node.behaviour import Attack as TrainerAttack

CONFIRMATIONS, DEPTH = 8, 3


@pytest.fixture
def deep(ground: Ground) -> Ground:
    """Nodes that are prepared for reorganisations."""
    return replace(ground, confirmations=CONFIRMATIONS)


def results(game: Served) -> list[Any]:
    return game.play.events(ResultPosted)


def close_window(game: Served) -> None:
    """Everybody has submitted, and serves it."""
    game.until(lambda: len(game.play.events(UpdateSubmitted)) == SLOTS)
    game.at(game.state.submit_deadline)
    game.play.step()


def until_mined(game: Served, submissions: int) -> None:
    """anvil answers a transaction before its block is there."""
    give_up_at = time.monotonic() + 10
    while len(game.play.events(UpdateSubmitted)) < submissions and time.monotonic() < give_up_at:
        time.sleep(0.02)


def until_posted(game: Served) -> None:
    """Only the aggregators look, so that the result is in one of the newest blocks."""
    for _ in range(OFTEN):
        for duty in list(game.duties.values()):
            game.look(duty)
            if results(game):
                return
    raise AssertionError("no result")


@pytest.mark.parametrize(
    ("mode", "restarted"),
    [
        ("on-demand", False),
        pytest.param("proved", False, marks=pytest.mark.deep),
        pytest.param("on-demand", True, marks=pytest.mark.deep),
    ],
)
def test_a_result_that_vanished_is_posted_again_once(
    deep: Ground, mode: str, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    proofs: list[object] = []
    prove = proof_queue.LocalProver.prove

    def counted(self: proof_queue.LocalProver, *arguments: Any) -> Any:
        proofs.append(self)
        return prove(self, *arguments)

    monkeypatch.setattr(proof_queue.LocalProver, "prove", counted)
    with served(deep, rounds__count=1, settlement__mode=mode) as game:
        game.start()
        close_window(game)
        until_posted(game)
        (before,) = results(game)
        reorganise(game.play.client, DEPTH)
        assert not results(game)
        if restarted:
            for index in list(game.duties):
                game.add(index)
        until_posted(game)
        (after,) = results(game)
        assert after.transaction_hash == before.transaction_hash
        assert len(proofs) == (mode == "proved")
        game.to_the_end()
        assert len(results(game)) == 1
        assert game.state.status is Status.SETTLED


def test_what_arrived_in_another_order_is_posted_in_that_order(deep: Ground) -> None:
    """The aggregator has looked at a closed window, whose last submissions vanish and come again in another order."""
    with served(deep, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        game.until(lambda: len(game.play.events(UpdateSubmitted)) == SLOTS)
        before: list[Any] = game.play.events(UpdateSubmitted)
        deadline = game.state.submit_deadline
        game.look(game.duties[0], deadline)  # nobody serves anything yet
        assert not results(game)
        reorganise(game.play.client, game.play.client.latest_block().number - before[-2].block_number + 1)
        for index in (5, 4):
            game.play.trainers[index].sender.look_back()
            until_mined(game, SLOTS - 1 if index == 5 else SLOTS)
        after: list[Any] = game.play.events(UpdateSubmitted)
        assert [e.trainer for e in after] == [e.trainer for e in (*before[:4], before[5], before[4])]
        game.at(deadline)
        game.play.step()
        until_posted(game)
        assert results(game)[0].present == 2**SLOTS - 1


def test_updates_are_sketched_anew_where_another_seed_is_drawn(
    deep: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aggregator has sketched what it took in, and the draw vanishes before its result is posted."""
    with served(deep, **SKETCHED, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        close_window(game)
        duty, sketched = game.duties[0], []
        monkeypatch.setattr(turn, "conclude", lambda *rest: sketched.append(rest[-2].usable()))
        while not sketched:
            game.look(duty)
        first = game.state
        assert first.seed_round == 1
        (drawn,) = game.play.events(SketchDrawn)
        reorganise(game.play.client, game.play.client.latest_block().number - drawn.block_number + 2)
        monkeypatch.undo()
        until_posted(game)
        assert game.state.sketch_seed != first.sketch_seed
        game.to_the_end()
        assert not game.play.events(Challenged), "what was posted is of the second seed"
        assert [event.present for event in results(game)] == [2**SLOTS - 1]


def test_what_was_read_while_the_chain_was_reorganised_is_read_again(
    deep: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last submission vanishes after the cohort was read and before the events are, and comes again."""
    with served(deep, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        game.until(lambda: len(game.play.events(UpdateSubmitted)) == SLOTS)
        last: Any = game.play.events(UpdateSubmitted)[-1]
        read, client = turn.arrived, game.play.client

        def reorganised(*arguments: Any) -> Any:
            monkeypatch.setattr(turn, "arrived", read)
            reorganise(client, client.latest_block().number - last.block_number + 1)
            return read(*arguments)

        monkeypatch.setattr(turn, "arrived", reorganised)
        game.look(game.duties[0], game.state.submit_deadline)
        assert len(game.play.events(UpdateSubmitted)) == SLOTS - 1
        game.play.trainers[SLOTS - 1].sender.look_back()
        until_mined(game, SLOTS)
        assert game.play.events(UpdateSubmitted)[-1].transaction_hash == last.transaction_hash
        game.at(game.state.submit_deadline)
        game.play.step()
        until_posted(game)
        assert results(game)[0].present == 2**SLOTS - 1


def test_a_model_is_not_put_together_from_before_and_after_a_reorganisation(deep: Ground) -> None:
    """The commitment of a result that vanished, with the file of the one before, would look like a lie."""
    with served(deep, rounds__count=2, settlement__mode="on-demand") as game:
        game.start()
        close_window(game)
        until_posted(game)
        context, before = game.play.aggregators[0].context, game.state
        block = game.play.client.latest_block().number
        assert current_model(context, before, block).round == 1
        reorganise(game.play.client, DEPTH)
        assert not results(game)
        with pytest.raises(FairshareError) as caught:
            current_model(context, before, block)
        assert caught.value.reason is Reason.UNAVAILABLE
        assert current_model(context, game.state, block).round == 0


@pytest.mark.deep
def test_a_complaint_that_vanished_is_made_again_once(deep: Ground) -> None:
    withholding = {2: TrainerAttack.WITHHOLD}
    with served(deep, trainer_attacks=withholding, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        close_window(game)
        for _ in range(OFTEN):
            game.look(game.duties[0], game.play.client.latest_block().timestamp + 40)
            if game.play.events(UpdatesComplained):
                break
        reorganise(game.play.client, DEPTH)
        assert not game.play.events(UpdatesComplained)
        game.until(lambda: results(game))
        assert len(game.play.events(UpdatesComplained)) == 1
        assert results(game)[0].present == (2**SLOTS - 1) ^ 0b100


def test_a_result_that_vanished_with_its_draw_is_made_anew(deep: Ground) -> None:
    """The same bytes are broadcast again, and come after another draw: they must not stand, for they would be false."""
    with served(deep, **SKETCHED, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        close_window(game)
        until_posted(game)
        (drawn,), (before,) = game.play.events(SketchDrawn), results(game)
        reorganise(game.play.client, game.play.client.latest_block().number - drawn.block_number + 2)
        assert not results(game)
        until_posted(game)
        (drawn_again,), (after,) = game.play.events(SketchDrawn), results(game)
        assert drawn_again.seed != drawn.seed
        assert after.transaction_hash != before.transaction_hash
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert len(results(game)) == 1
        assert not game.play.events(Challenged)


def test_what_lags_behind_the_chain_is_read_again(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint whose state and events are of different blocks: one look at each is of the block before."""
    with served(ground, rounds__count=1, settlement__mode="on-demand") as game:
        game.start()
        game.until(lambda: len(game.play.events(UpdateSubmitted)) == SLOTS)
        last: Any = game.play.events(UpdateSubmitted)[-1]
        game.at(game.state.submit_deadline)
        game.play.step()
        duty, read = game.duties[0], MarketClient.cohort
        older = last.block_number - 1

        def before(self: MarketClient, project: int, index: int, *, block: Any = "latest") -> Any:
            return read(self, project, index, block=older)

        monkeypatch.setattr(MarketClient, "cohort", before)
        game.at(0)
        with pytest.raises(FairshareError, match="not those that the chain holds") as lagging:
            duty.step()
        assert is_transient(lagging.value)
        fetched = arrivals_module.fetch

        def up_to_then(*arguments: Any, to_block: int, **more: Any) -> Any:
            return fetched(*arguments, to_block=min(to_block, older), **more)

        monkeypatch.setattr(arrivals_module, "fetch", up_to_then)
        game.look(duty)  # a result of five updates, which the chain refuses
        assert not results(game)
        monkeypatch.undo()
        until_posted(game)
        assert results(game)[0].present == 2**SLOTS - 1


def test_nobody_hands_over_before_the_seats_are_final(deep: Ground) -> None:
    """A batch is by seats: who signed for one that a reorganisation gives to another would be in it and not count."""
    with served(deep, listens=True, rounds__batch_window=500, rounds__count=1) as game:
        game.start()
        duty = game.duties[0]
        assert duty.desk is not None
        (started,) = game.play.events(ProjectStarted)
        while game.play.client.latest_block().number < started.block_number + CONFIRMATIONS - 1:
            game.look(duty)
            assert duty.desk.round is None
        game.look(duty)
        assert duty.desk.round == 1
        game.until(lambda: results(game))
        assert [event.slots for event in game.play.events(BatchPosted)] == [2**SLOTS - 1]
        assert [event.present for event in results(game)] == [2**SLOTS - 1]
