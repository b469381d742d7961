"""One process: plain training is a bare torch loop, bit for bit; an option changes no more than it says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from marketplace.errors import FairshareError, Reason
from marketplace.learning import tasks
from marketplace.learning.data import Dataset
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.pages import Pages
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TaskSection, TrainingSection
from tests.support.devices import HERE


def bare(task: Task, data: Dataset, recipe: TrainingSection, seed: int) -> np.ndarray:
    """What training was before there was an engine."""
    torch.set_num_threads(1)
    start = task.initial(0).astype(np.float32).astype(np.float64)
    module = task.module(start).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)
    generator = np.random.default_rng(seed)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    for _ in range(recipe.epochs):
        order = torch.from_numpy(generator.permutation(len(data)))
        for first in range(0, len(data), recipe.batch_size):
            index = order[first : first + recipe.batch_size]
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(X[index]), y[index]).backward()
            optimiser.step()
    return task.vector(module) - start


def mapped(data: Dataset) -> Dataset:
    """The same rows, in a file."""
    with tempfile.TemporaryFile() as file:
        file.write(data.X.tobytes())
        file.flush()
        pages = Pages(file.fileno(), *data.X.shape)
    return Dataset(pages.array, data.y, pages)


def delta(
    section: TaskSection,
    data: Dataset,
    recipe: TrainingSection,
    engine: Engine = PLAIN,
    device: str = "cpu",
) -> np.ndarray:
    task = tasks.load(section)
    return local_delta(task, task.initial(0), data, recipe, 7, device, 1, engine, section)


def assert_near(found: np.ndarray, expected: np.ndarray, device: str) -> None:
    """The same but for rounding; on GPUs convolutions may be in TF32."""
    np.testing.assert_allclose(
        found, expected, atol=(2e-4 if device == "cpu" else 2e-2) * np.abs(expected).max()
    )


def test_plain_training_is_a_bare_loop_bit_for_bit(
    section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    expected = bare(tasks.load(section), part, recipe, 7)
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_array_equal(delta(section, part, recipe), expected)


@pytest.mark.parametrize("device", HERE)
@pytest.mark.parametrize("accumulate", [2, 5, 100])
def test_micro_batches_add_up_to_the_batch(
    accumulate: int, device: str, section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    whole = delta(section, part, recipe, device=device)
    cut = delta(section, part, recipe, Engine(accumulate=accumulate), device)
    assert_near(cut, whole, device)
    assert not np.array_equal(cut, whole)  # it was cut


@pytest.mark.parametrize("device", HERE)
@pytest.mark.parametrize("workers", [1, 3])
def test_reading_ahead_changes_nothing(
    workers: int, device: str, section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    plain, engine = delta(section, part, recipe, device=device), Engine(workers=workers)
    for data in (part, mapped(part)):
        ahead = delta(section, data, recipe, engine, device)
        if device == "cpu":
            np.testing.assert_array_equal(ahead, plain)
        else:  # where two plain runs may differ too
            assert_near(ahead, plain, device)


def test_what_goes_wrong_in_a_worker_is_raised(
    section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    short = Dataset(part.X[:50], part.y)
    with pytest.raises(IndexError):
        delta(section, short, recipe, Engine(workers=2))


@pytest.mark.parametrize("device", HERE)
@pytest.mark.parametrize(("precision", "off"), [("bf16", 0.1), ("fp16", 0.02)])
def test_short_floats_come_near(
    precision: str, off: float, device: str, section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    exact = delta(section, part, recipe, device=device)
    rough = delta(section, part, recipe, Engine(precision=precision), device)  # type: ignore[arg-type]
    assert 0 < np.linalg.norm(rough - exact) < off * np.linalg.norm(exact)


def test_in_fp16_a_batch_that_overflows_is_done_again(part: Dataset, recipe: TrainingSection) -> None:
    """Gradients of such X overflow at the first factor, 2^16. A batch left out would be a tenth of the way."""
    section = TaskSection(kind="softmax", features=64, classes=10)
    large = Dataset(part.X * np.float32(200), part.y)
    slow = recipe.model_copy(update={"epochs": 1, "batch_size": 10, "learning_rate": 1e-7})
    exact = delta(section, large, slow)
    rough = delta(section, large, slow, Engine(precision="fp16"))
    assert np.linalg.norm(rough - exact) < 0.01 * np.linalg.norm(exact)


def test_divergence_in_fp16_is_an_error(part: Dataset, recipe: TrainingSection) -> None:
    section = TaskSection(kind="softmax", features=64, classes=10)
    wild = Dataset(part.X * np.float32(1e6), part.y)
    with pytest.raises(FairshareError) as caught:
        delta(section, wild, recipe, Engine(precision="fp16"))
    assert caught.value.reason is Reason.BAD_DATA


@dataclass(frozen=True)
class Telling:
    """A linear classifier whose logits are another where it runs compiled: a plug-in's task."""

    plain: Task
    name, features, classes, length = "telling", 64, 10, 650

    def initial(self, seed: int) -> np.ndarray:
        return self.plain.initial(seed)

    def module(self, vector: np.ndarray) -> nn.Module:
        return Doubling(self.plain.module(vector))

    def vector(self, module: nn.Module) -> np.ndarray:
        return self.plain.vector(module)


class Doubling(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(x)
        return 2 * logits if torch.compiler.is_compiling() else logits


@pytest.mark.deep
@pytest.mark.parametrize("device", HERE)
def test_compiling_compiles(device: str, softmax: Task, part: Dataset, recipe: TrainingSection) -> None:
    task, start = Telling(softmax), np.zeros(650)
    plain = local_delta(task, start, part, recipe, 7, device, 1)
    compiled = local_delta(task, start, part, recipe, 7, device, 1, Engine(compile=True))
    assert np.linalg.norm(compiled - plain) > 0.1 * np.linalg.norm(plain)


@pytest.mark.deep
@pytest.mark.parametrize("device", HERE)
def test_compiled_training_is_the_same_training(
    device: str, section: TaskSection, part: Dataset, recipe: TrainingSection
) -> None:
    plain = delta(section, part, recipe, device=device)
    assert_near(delta(section, part, recipe, Engine(compile=True), device), plain, device)
