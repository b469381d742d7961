"""A Flower client's training becomes the round's update, on a real market."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marketplace.protocol.fixed_point import clip, padded, quantise
from tests.support.stepped_market import Ground, play
from trainer_node.flower.client import FlowerClient
from trainer_node.prepared import Prepared

pytestmark = pytest.mark.deep  # a market of its own
HERE = Path(__file__).parent


def test_what_the_client_made_is_submitted(ground: Ground, tmp_path: Path) -> None:
    with play(ground) as game:
        trainer = game.trainers[0]
        client = FlowerClient("clients:echo", Path(sys.executable), tmp_path / "data", HERE, 60.0)
        trainer.worker = replace(trainer.worker, flower=client)
        game.start()
        game.submit()
        prepared = Prepared.recall(trainer.journal, game.project, 1)
        assert prepared is not None
        assert prepared.own is not None
        spec, task = trainer.context.spec, trainer.context.task
        moved = np.full(task.length, 1.0 + spec.training.momentum)  # see `clients.Echo`
        expected = quantise(clip(moved, spec.training.clip_norm), spec.arithmetic.scale_bits, spec.divisor)
        np.testing.assert_allclose(prepared.own.update, padded(expected, spec.length), atol=1)
