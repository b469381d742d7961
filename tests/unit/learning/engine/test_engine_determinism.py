"""training.deterministic: two runs of the same machine give the same bytes, whatever a model draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.private import Noise, private_delta
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TrainingSection
from tests.support.devices import HERE


class Scattered(nn.Module):
    """An operation that no device does deterministically."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.zeros_like(x).put_(torch.zeros(2, dtype=torch.int64, device=x.device), x.new_ones(2))


@dataclass(frozen=True)
class Plugin:
    """A linear classifier with something more: a plug-in's task."""

    more: nn.Module
    name, features, classes, length = "plugin", 64, 10, 650

    def initial(self, seed: int) -> np.ndarray:
        return np.zeros(self.length)

    def module(self, vector: np.ndarray) -> nn.Module:
        linear = nn.Linear(64, 10)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(vector[:640].reshape(10, 64)))
            linear.bias.copy_(torch.from_numpy(vector[640:]))
        return nn.Sequential(self.more, linear)

    def vector(self, module: nn.Module) -> np.ndarray:
        parts = [p.detach().cpu().double().numpy().ravel() for p in module.parameters()]
        return np.concatenate(parts)


def asked(recipe: TrainingSection) -> TrainingSection:
    return recipe.model_copy(update={"deterministic": True})


@contextmanager
def state_of_torch() -> Iterator[None]:
    """Fails where a block leaves torch's settings or its generator otherwise than it found them."""

    def state() -> tuple[object, ...]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            torch.get_num_threads(),
        )

    before, generator = state(), torch.get_rng_state()
    yield
    assert state() == before
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("device", HERE)
def test_two_runs_give_the_same_bytes(device: str, part: Dataset, recipe: TrainingSection) -> None:
    task = Plugin(nn.Dropout(0.5))

    def run(training: TrainingSection, seed: int = 1) -> bytes:
        torch.manual_seed(np.random.default_rng().integers(2**32))
        with torch.random.fork_rng():
            return local_delta(task, task.initial(0), part, training, seed, device, 2).tobytes()

    assert run(asked(recipe)) == run(asked(recipe))
    assert run(asked(recipe)) != run(asked(recipe), seed=2)
    assert run(recipe) != run(recipe)  # else the first would say nothing


def test_the_process_is_left_as_it_was(softmax: Task, part: Dataset, recipe: TrainingSection) -> None:
    with state_of_torch():
        local_delta(softmax, softmax.initial(0), part, asked(recipe), 0, "cpu", 2)
    wild = Dataset(part.X * np.float32(1e30), part.y)
    with state_of_torch(), pytest.raises(FairshareError):
        local_delta(softmax, softmax.initial(0), wild, asked(recipe), 0, "cpu", 2)


def test_a_model_that_cannot_is_refused(part: Dataset, recipe: TrainingSection) -> None:
    task = Plugin(Scattered())
    local_delta(task, task.initial(0), part, recipe, 0, "cpu", 1)
    with state_of_torch(), pytest.raises(FairshareError) as caught:
        local_delta(task, task.initial(0), part, asked(recipe), 0, "cpu", 1)
    assert caught.value.reason is Reason.BAD_INPUT
    assert "deterministic" in caught.value.message


def test_with_noise_too(part: Dataset, recipe: TrainingSection) -> None:
    task = Plugin(nn.Dropout(0.5))

    def run(training: TrainingSection) -> bytes:
        noise, secret = Noise(1.0, 1.0), bytes(32)
        return private_delta(task, task.initial(0), part, training, noise, secret, "cpu", 2).tobytes()

    assert run(asked(recipe)) == run(asked(recipe))
    assert run(recipe) != run(recipe)
