"""Trainers that train in other ways than the plain one, on a real market: what they submit is what the recipe gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marketplace.chain.events import UpdateSubmitted
from marketplace.errors import FairshareError, Reason
from marketplace.learning.engine.options import Engine
from marketplace.learning.train import local_delta
from marketplace.node.project import ProjectContext
from marketplace.protocol.fixed_point import clip, quantise
from tests.support.private_trainer import CHOICE, make_private
from tests.support.stepped_market import SLOTS, Ground, iris_part, play
from trainer_node.prepared import Prepared
from trainer_node.work import seed_of


def expected(context: ProjectContext, index: int) -> np.ndarray:
    """Trainer `index`'s update of the first round, trained plainly."""
    task, training = context.task, context.spec.training
    start = task.initial(training.seed)
    delta = local_delta(task, start, iris_part(index), training, seed_of(index, 1), "cpu", 1)
    return quantise(clip(delta, training.clip_norm), context.spec.arithmetic.scale_bits, context.spec.divisor)


@pytest.mark.deep
@pytest.mark.parametrize("engine", [Engine(accumulate=2, workers=1), Engine(processes=2)])
def test_an_update_is_the_recipes_however_it_was_trained(engine: Engine, ground: Ground) -> None:
    with play(ground) as game:
        node = game.trainers[0]
        node.worker = replace(node.worker, engine=engine)
        game.start()
        game.submit()
        assert len([event for event in game.events(UpdateSubmitted) if event.round == 1]) == SLOTS
        prepared = Prepared.recall(node.journal, game.project, 1)
        assert prepared is not None
        assert prepared.own is not None
        plain = expected(node.context, 0)
        assert np.abs(plain).max() > 100
        np.testing.assert_allclose(prepared.own.update[: len(plain)], plain, atol=2)


def test_noise_goes_with_the_plain_engine_alone(ground: Ground) -> None:
    with play(ground, rounds__count=2) as game:
        node = game.trainers[0]
        make_private(node, CHOICE)
        node.worker = replace(node.worker, engine=Engine(precision="bf16"))
        game.start()
        with pytest.raises(FairshareError) as caught:
            game.submit()
        assert caught.value.reason is Reason.BAD_INPUT
        assert "--precision" in caught.value.message
