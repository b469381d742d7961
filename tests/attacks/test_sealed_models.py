"""Who reads a sealed model, and an update, that is not for it: nobody. Who seals falsely: is challenged at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marketplace.chain.events import AggregatorJoined, Challenged, UpdateSubmitted
from marketplace.chain.types import ChallengeKind
from marketplace.errors import FairshareError, Reason
from marketplace.node.models import fetch_current
from marketplace.node.openings import opening_of
from marketplace.node.project import load_project
from marketplace.storage.cid import from_digest
from marketplace.updates.envelope import open_update
from marketplace.updates.sealing import EncryptionKey
from tests.support.deployed import deployed_market
from tests.support.sealed_rounds import (
    SEALED,
    Publish,
    falsely,
    files,
    honest,
    members,
    opened,
    owner_key,
    without,
)
from tests.support.stepped_market import FIRST_TRAINER, SLOTS, Aggregator, Ground, Play, play, trainer_address
from trainer_node.behaviour import Attack

VICTIM = 2
DEEP = pytest.mark.deep


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("sealed")
    with deployed_market(folder, accounts=FIRST_TRAINER + SLOTS + 1) as (url, deployed):
        yield Ground(url, deployed, folder)


def finish_round(game: Play, publish: Callable[[Aggregator, int], Publish]) -> None:
    """Everybody submits, and the first aggregator posts the result."""
    boss, round_ = game.aggregators[0], game.state.round
    game.submit()
    boss.post(boss.result(boss.opened(), publish=publish(boss, round_)))


def not_for(game: Play, round_: int, key: EncryptionKey) -> bool:
    try:
        opened(game, round_, key)
    except FairshareError as error:
        return error.reason is Reason.NOT_FOUND
    return False


def test_a_late_joiner_opens_no_earlier_model_and_a_leaver_no_later_one(ground: Ground) -> None:
    """Both in round 2: the leaver was a member when it opened, the joiner was not."""
    leaver, late_key = 0, EncryptionKey.generate()
    with (
        play(ground, attacks={leaver: Attack.ABSENT}, rounds__count=3, **SEALED) as game,
        ground.session(FIRST_TRAINER + SLOTS) as session,
    ):
        game.start()
        finish_round(game, lambda boss, round_: honest(boss.context, round_))
        left = game.trainers[leaver]
        leave = game.client.market.functions.leave(game.project)
        left.sender.send("leave", leave)
        game.stop_trainer(leaver)
        context = load_project(session.client, session.store, game.project, session.cache)
        late = Aggregator(context.with_key(late_key), session.sender, late_key)
        late.join()
        assert len(game.events(AggregatorJoined)) == 3
        for _ in range(2):
            finish_round(game, lambda boss, round_: honest(boss.context, round_))

        outsider = EncryptionKey.generate()
        assert [not_for(game, round_, left.key) for round_ in (1, 2, 3)] == [False, False, True]
        assert [not_for(game, round_, late_key) for round_ in (1, 2, 3)] == [True, True, False]
        assert all(not_for(game, round_, outsider) for round_ in (1, 2, 3))
        stayed = members(game)
        assert not any(not_for(game, round_, key) for round_ in (1, 2, 3) for key in stayed.values())
        state, block = game.state, game.client.latest_block().number
        assert (fetch_current(late.context, state, block, 1) == game.aggregators[0].model).all()


@DEEP
def test_no_other_members_key_opens_an_update(ground: Ground) -> None:
    with play(ground, rounds__count=1, **SEALED) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        assert len(boss.opened()) == SLOTS
        others = {name: key for name, key in members(game).items() if key is not boss.key}
        assert len(others) == SLOTS + 2
        submitted: list[Any] = game.events(UpdateSubmitted)
        for event in submitted:
            blob = ground.store.blobs[from_digest(event.blob)]
            bound_to = boss.context.update_context(1, event.trainer)
            for key in others.values():
                with pytest.raises(FairshareError) as refused:
                    open_update(blob, key, bound_to, event.digest, boss.context.length)
                assert refused.value.reason is Reason.INTEGRITY


@pytest.mark.parametrize("lie", [pytest.param(without, marks=DEEP), falsely])
def test_a_member_that_cannot_open_the_model_has_it_shown(
    ground: Ground, lie: Callable[..., Publish]
) -> None:
    """It challenges at once, and trains on what the answer shows; the others opened the file."""
    with play(ground, **SEALED) as game:
        game.start()
        victim = game.trainers[VICTIM].key
        finish_round(game, lambda boss, round_: lie(boss.context, round_, victim.public))
        with pytest.raises(FairshareError):
            opened(game, 1, victim)
        boss = game.aggregators[0]
        assert (opened(game, 1, owner_key(game)) == boss.model).all()
        game.step()
        (challenged,) = game.events(Challenged)
        assert (challenged.kind, challenged.challenger) == (ChallengeKind.MODEL, trainer_address(VICTIM))  # type: ignore[attr-defined]
        boss.send("answerModel", game.project, opening_of(boss.context, boss.model).to_abi())
        for _ in range(2):
            game.step()
        submitted: list[Any] = game.events(UpdateSubmitted)
        assert sorted(e.slot for e in submitted if e.round == 2) == list(range(SLOTS))
        assert len(game.events(Challenged)) == 1
        assert files(game)[1][:4] == b"FSM1"


@DEEP
def test_a_file_that_is_too_large_is_challenged_and_stops_nobody(ground: Ground) -> None:
    """In a public project as well."""
    for changes in ({}, SEALED):
        with play(ground, **changes) as game:
            game.start()
            finish_round(game, lambda boss, round_: lambda packed: packed + bytes(1_000_000))
            game.step()
            (challenged,) = game.events(Challenged)
            assert challenged.kind is ChallengeKind.MODEL  # type: ignore[attr-defined]
