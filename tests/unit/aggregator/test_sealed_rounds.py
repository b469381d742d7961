"""Rounds whose models are sealed to the members: published once, trained on, and kept through a kill."""

from __future__ import annotations

import pytest

from marketplace.chain.events import ResultPosted
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.keyring import KeyRing
from marketplace.node.models import fetch_current
from marketplace.updates.codec import pack_model
from marketplace.updates.sealed_model import recipients_of
from tests.support.mortal_journal import killed_at_every_write
from tests.support.sealed_rounds import SEALED, files, members, opened
from tests.support.served_market import served
from tests.support.stepped_market import Ground


def test_members_train_on_what_nobody_else_can_open(ground: Ground) -> None:
    before = set(ground.store.blobs)  # of public projects with the same data, too
    with served(ground, **SEALED) as game:
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        keys = members(game.play)
        added = [blob for cid, blob in ground.store.blobs.items() if cid not in before]
        assert set(files(game.play)) == {1, 2}
        for round_, blob in files(game.play).items():
            assert recipients_of(blob) == tuple(sorted(key.public for key in keys.values()))
            models = [opened(game.play, round_, key) for key in keys.values()]
            assert all((model == models[0]).all() for model in models)
            assert pack_model(models[0]) not in added
        context, block = game.play.aggregators[0].context, game.play.client.latest_block().number
        assert (fetch_current(context, game.state, block, 1) == opened(game.play, 2, context.key)).all()  # type: ignore[arg-type]
        with pytest.raises(FairshareError) as refused:
            fetch_current(context.with_key(None), game.state, block, 1)
        assert refused.value.reason is Reason.NOT_FOUND


@pytest.mark.deep
def test_each_cohorts_model_is_sealed_for_itself(ground: Ground) -> None:
    with served(ground, trainers=12, cohort__cohorts=2, rounds__count=1, **SEALED) as game:
        game.start()
        game.to_the_end()
        posted = game.play.events(ResultPosted)
        assert len({event.model for event in posted}) == 2  # type: ignore[attr-defined]
        assert (opened(game.play, 1, game.play.trainers[11].key) != 0).any()
        assert game.state.status is Status.SETTLED


@pytest.mark.deep
def test_killed_at_any_write_it_publishes_the_same_file(ground: Ground) -> None:
    with served(ground, rounds__count=1, **SEALED) as game:
        before = set(ground.store.blobs)
        died = killed_at_every_write(game, lambda: files(game.play))
        assert died >= {"seal", "posting", "result"}
        made = [blob for cid, blob in ground.store.blobs.items() if cid not in before]
        assert [blob for blob in made if blob.startswith(b"FSM1")] == [files(game.play)[1]]


def test_who_would_join_after_the_start_is_told_why_not(ground: Ground) -> None:
    with served(ground, **SEALED) as game:
        game.stop(1)
        game.start()
        with pytest.raises(FairshareError) as refused:
            game.look(game.add(1))
        assert refused.value.reason is Reason.REFUSED
        assert "sealed to its members" in refused.value.message
        assert game.state.aggregator_count == 1


@pytest.mark.deep
@pytest.mark.parametrize("changes", [{}, SEALED])
def test_when_a_project_is_over_nothing_is_left_that_opens_its_updates(
    ground: Ground, changes: dict[str, object]
) -> None:
    with served(ground, rounds__count=1, **changes) as game:
        project, duty, trainer = game.play.project, game.duties[0], game.play.trainers[0]
        rings = [KeyRing(ground.folder / f"ring-{project}-{name}") for name in ("duty", "trainer")]
        for node, ring in zip((duty, trainer), rings, strict=True):
            node.keys = ring
            ring.of_project(project, None)  # stands for the key that it joined with
        game.start()
        game.until(lambda: game.play.events(ResultPosted))
        assert duty.journal.names(project, 1)
        game.to_the_end()
        for _ in range(3):
            game.play.step()
        assert list(rings[0].kept()) == []
        assert bool(list(rings[1].kept())) == bool(changes)  # what opens models is the member's to keep
        assert duty.journal.names(project, 1) == ()
