"""A trainer's rounds on a real market: seats, hidden commitments, complaints and their answers."""

from __future__ import annotations

import numpy as np

from marketplace.chain.events import (
    KeyResealed,
    ResultPosted,
    UpdateAnswered,
    UpdateSubmitted,
    UpdateWithheld,
)
from marketplace.chain.types import Status
from marketplace.node.seats import seat_in_round
from marketplace.node.withdrawal import collect_all
from marketplace.storage.cid import from_digest
from tests.support.counted_requests import CountingProvider
from tests.support.stepped_market import FIRST_TRAINER, SLOTS, WINDOWS, Ground, play, trainer_address
from trainer_node.behaviour import Attack


def test_a_project_from_joining_to_its_pay(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        boss = game.aggregators[0]
        for _ in range(2):
            game.submit()
            updates = boss.opened()
            assert sorted(updates) == list(range(SLOTS))
            boss.post(boss.result(updates))
            game.step()
        assert game.state.status is Status.CLOSING
        game.step(game.state.challenge_deadline + 60)
        game.step()
        assert game.state.status is Status.SETTLED
        paid = sum(sum(event.amounts) for event in game.events(ResultPosted))  # type: ignore[attr-defined]
        members = [game.client.membership(game.project, trainer_address(index)) for index in range(SLOTS)]
        assert sum(member.claimed for member in members) == paid > 0
        assert {member.locked for member in members} == {0}


def test_a_look_at_a_block_takes_two_requests(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        game.stop_trainer(5)  # with its submission the window would close
        counted = CountingProvider(game.trainers[0].context.client)
        looks = []
        for time in (0, game.state.submit_deadline):
            for _ in range(3):  # the first acts; the second still expects what the first needed
                game.step(time)
            counted.taken()
            game.step()
            looks.append(counted.taken())
    newest = "eth_getBlockByNumber"
    assert looks == [
        [newest, ("projectOf", "membershipOf", "challengeOf", "cohortOf")],
        [newest, ("projectOf", "membershipOf", "cohortOf", "aggregatorsOf", "challengeOf")],
    ]


def test_blobs_are_served_after_the_window_only(ground: Ground) -> None:
    with play(ground, trainers=SLOTS) as game:
        game.start()
        game.stop_trainer(5)
        game.step()
        blobs = [from_digest(event.blob) for event in game.events(UpdateSubmitted)]
        assert len(blobs) == SLOTS - 1
        game.step()
        assert not set(blobs) & set(ground.store.blobs)
        game.step(game.state.submit_deadline)
        assert set(blobs) <= set(ground.store.blobs)


def test_a_restarted_trainer_submits_once_and_the_same(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        for index in range(SLOTS):
            game.add_trainer(index)
        game.step()
        for index in range(SLOTS):
            game.add_trainer(index)
        game.step()
        game.step()
        assert len(game.events(UpdateSubmitted)) == SLOTS
        assert sorted(game.aggregators[0].opened()) == list(range(SLOTS))


def test_seats_are_drawn_where_trainers_outnumber_them(ground: Ground) -> None:
    with play(ground, trainers=SLOTS + 1) as game:
        game.start()
        state = game.state
        assert state.drawn
        game.step()
        seated = {
            trainer_address(number): seat.slot
            for number in range(SLOTS + 1)
            if (seat := seat_in_round(state, SLOTS, 1, number)) is not None
        }
        assert len(seated) == SLOTS
        assert {event.trainer: event.slot for event in game.events(UpdateSubmitted)} == seated  # type: ignore[attr-defined]


def test_a_false_complaint_is_answered_with_the_update(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        updates = boss.opened()
        boss.complain(0b1001)
        game.step()
        game.step()
        answers = game.events(UpdateAnswered)
        assert {event.slot for event in answers} == {0, 3}  # type: ignore[attr-defined]
        for event in answers:
            shown = np.frombuffer(event.packed, dtype="<i2")  # type: ignore[attr-defined]
            assert (shown == updates[event.slot].update).all()  # type: ignore[attr-defined]
        boss.post(boss.result(updates))
        assert game.client.vault.free(game.client.terms(game.project).token, trainer_address(0)) >= (
            game.client.terms(game.project).complaint_deposit
        )


def test_who_withholds_its_update_pays_and_is_left_out(ground: Ground) -> None:
    with play(ground, attacks={2: Attack.WITHHOLD}) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        updates = boss.opened()
        assert sorted(updates) == [0, 1, 3, 4, 5]
        boss.complain(0b100)
        game.step(game.state.answer_deadline)
        assert not game.events(UpdateAnswered)
        boss.post(boss.result(updates))
        (withheld,) = game.events(UpdateWithheld)
        assert withheld.slot == 2  # type: ignore[attr-defined]


def test_after_a_take_over_keys_are_sealed_anew(ground: Ground) -> None:
    with play(ground) as game:
        game.start()
        game.submit()
        game.step(game.state.result_deadline + WINDOWS["result"] // 2)
        assert game.state.aggregator_index == 1
        game.step()
        resealed = game.events(KeyResealed)
        assert {event.sender for event in resealed} == {  # type: ignore[attr-defined]
            trainer_address(index) for index in range(SLOTS)
        }


def test_what_can_still_be_undone_is_not_claimed(ground: Ground) -> None:
    with play(ground, rounds__count=1) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        boss.post(boss.result(boss.opened()))
        (posted,) = game.events(ResultPosted)
        best = max(range(SLOTS), key=lambda slot: posted.amounts[slot])  # type: ignore[attr-defined]
        game.stop_trainer(best)
        with ground.session(FIRST_TRAINER + best) as session:
            done = collect_all(session, game.project)
            assert done["claimable_later"] == str(posted.amounts[best])  # type: ignore[attr-defined]
            assert "claimed" not in done
        game.step(game.state.challenge_deadline + 60)
        assert game.state.status is Status.SETTLED
        with ground.session(FIRST_TRAINER + best) as session:
            done = collect_all(session, game.project)
            assert done["claimed"] == str(posted.amounts[best])  # type: ignore[attr-defined]
            assert int(done["released"]) > 0
            assert "claimed" not in collect_all(session, game.project)
