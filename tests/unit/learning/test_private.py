"""DP-SGD: what a row can change is bounded, and the noise on the wire is the noise that was accounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, private, split, tasks
from marketplace.learning.accounting import noise_of_update, round_of
from marketplace.learning.data import Dataset
from marketplace.learning.private import Noise, check_private, private_delta
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol.fixed_point import clip, quantise
from marketplace.spec import ProjectFile, template
from marketplace.spec.sections import TaskSection, TrainingSection

TRAINING = ProjectFile.from_toml(template("softmax")).training
Data = tuple[Dataset, Dataset]
FAINT = 1e-9  # a noise that is none
UNLIKELY = 1e-9  # seeds are fixed: what passes once passes always


def secret(number: int) -> bytes:
    return number.to_bytes(32, "big")


def training(**changes: object) -> TrainingSection:
    return TrainingSection.model_validate(TRAINING.model_dump() | changes)


def whole_batches(rows: int, **changes: object) -> TrainingSection:
    """One step an epoch, on all rows: no chance but the noise's."""
    return training(batch_size=rows, **changes)


def task(kind: str, **options: object) -> Task:
    return tasks.load(TaskSection.model_validate({"kind": kind, "features": 64, "classes": 10} | options))


MODELS = {
    "softmax": task("softmax"),
    "mlp": task("mlp", hidden=12, pool=2),
    "head": task("mlp", hidden=12, pool=1, trained="head"),
    "cnn": task("cnn", channels=2, hidden=8),
}


@pytest.mark.parametrize("name", MODELS)
def test_without_noise_and_clipping_it_is_plain_training(name: str, digits: Data) -> None:
    model, part = MODELS[name], split.iid(digits[0], 20, 0)[0]
    recipe = whole_batches(len(part), epochs=3, learning_rate=0.1, momentum=0.5)
    start = model.initial(0)
    check_private(model)
    noisy = private_delta(model, start, part, recipe, Noise(FAINT, 1000.0), secret(1), "cpu", 1)
    plain = local_delta(model, start, part, recipe, 1, "cpu", 1)
    np.testing.assert_allclose(noisy, plain, atol=1e-4)  # in floats a maximum may fall to another pixel
    assert np.abs(plain).max() > 1e-3


def test_training_is_a_function_of_its_arguments_and_the_secret_is_one(softmax: Task, digits: Data) -> None:
    part, start = split.iid(digits[0], 20, 0)[0], softmax.initial(0)

    def delta(number: int) -> np.ndarray:
        return private_delta(
            softmax, start, part, training(epochs=1), Noise(1.0, 1.0), secret(number), "cpu", 1
        )

    first = delta(1)
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, delta(1))
    assert first.dtype == np.float64
    assert first.shape == (650,)
    assert not np.isclose(first, delta(2)).any()


@pytest.mark.parametrize("name", MODELS)
def test_no_row_moves_a_step_by_more_than_its_clipped_gradient(name: str, digits: Data) -> None:
    """The sensitivity that the noise is measured by, with a row far out of the others' range."""
    model, rows, norm, rate = MODELS[name], 12, 0.5, 0.1
    part = digits[0].rows(np.arange(rows))
    start = model.initial(0)
    wild = part.X.copy()
    wild[0] *= 1e4
    with_row = Dataset(wild, part.y)
    without = with_row.rows(np.arange(1, rows))
    noise, recipe = Noise(FAINT, norm), whole_batches(rows, epochs=1, learning_rate=rate)
    of_all = private_delta(model, start, with_row, recipe, noise, secret(1), "cpu", 1)
    of_others = private_delta(model, start, without, recipe, noise, secret(1), "cpu", 1)
    moved = np.linalg.norm(of_all * rows - of_others * (rows - 1))  # sums: opacus divides by the rows
    assert moved == pytest.approx(rate * norm, rel=1e-3)
    unclipped = private_delta(model, start, with_row, recipe, Noise(FAINT, 1e9), secret(1), "cpu", 1)
    assert np.linalg.norm(unclipped) > 100 * np.linalg.norm(of_all)


@dataclass(frozen=True)
class Wire:
    """A project's fixed point."""

    scale_bits: int = 22
    divisor: int = 8
    clip_norm: float = 40.0

    def update(self, delta: np.ndarray) -> np.ndarray:
        return quantise(clip(delta, self.clip_norm), self.scale_bits, self.divisor).astype(np.float64)


@pytest.mark.parametrize(
    ("name", "epochs", "momentum"),
    [("softmax", 1, 0.0), ("softmax", 8, 0.0), ("softmax", 8, 0.9), ("cnn", 1, 0.0), ("cnn", 4, 0.9)],
)
def test_the_noise_on_the_wire_is_what_was_accounted_for(
    name: str, epochs: int, momentum: float, digits: Data
) -> None:
    """The quantised update with noise against that without, over many seeds.

    In each step the noise on the mean gradient has deviation sigma * C / batch, the delta is learning rate times the
    (momentum's sums of) steps, and rounding adds 1 / 12. At this learning rate gradients hardly answer to the noise.
    """
    model, seeds, sigma, norm = MODELS[name], 60, 2.0, 100.0
    part, wire = digits[0].rows(np.arange(20)), Wire()
    recipe = whole_batches(20, epochs=epochs, learning_rate=1e-5, momentum=momentum)
    start = model.initial(0)
    silent = wire.update(local_delta(model, start, part, recipe, 0, "cpu", 1))  # norm 100 clips nobody
    noises = np.array(
        [
            wire.update(private_delta(model, start, part, recipe, Noise(sigma, norm), secret(i), "cpu", 1))
            - silent
            for i in range(seeds)
        ]
    )
    sums = [sum(momentum**j for j in range(epochs - i)) for i in range(epochs)]
    deviation = recipe.learning_rate * sigma * norm / 20 * np.sqrt(np.square(sums).sum())
    assert noise_of_update(round_of(20, recipe, sigma), norm, 20, 1e-5, momentum) == pytest.approx(deviation)
    variance = (deviation * 2**wire.scale_bits / wire.divisor) ** 2 + 2 / 12
    assert variance > 100  # the noise, not its rounding
    low, high = stats.chi2.ppf([UNLIKELY / 2, 1 - UNLIKELY / 2], noises.size) / noises.size
    assert low < np.square(noises).mean() / variance < high
    assert high - low < 0.2  # a wrong factor would be seen
    assert (
        stats.kstest(noises.ravel()[:: max(1, noises.size // 3000)] / np.sqrt(variance), "norm").pvalue > 1e-6
    )
    between = np.corrcoef(noises)[np.triu_indices(seeds, 1)]
    assert np.abs(between).max() < 7 / np.sqrt(noises.shape[1])


def test_empty_batches_get_their_noise(digits: Data) -> None:
    model, part = MODELS["cnn"], digits[0].rows(np.arange(3))
    recipe = training(batch_size=1, epochs=8, learning_rate=1e-3)  # a batch in three is empty
    delta = private_delta(model, model.initial(0), part, recipe, Noise(3.0, 1.0), secret(4), "cpu", 1)
    expected = noise_of_update(round_of(3, recipe, 3.0), 1.0, 3, 1e-3, 0.0)
    assert np.std(delta) == pytest.approx(expected, rel=0.1)


def test_batches_in_parts_are_the_same_batches(
    softmax: Task, digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = digits[0].rows(np.arange(60))

    def delta() -> np.ndarray:
        return private_delta(
            softmax, softmax.initial(0), part, training(epochs=2), Noise(1.0, 1.0), secret(5), "cpu", 1
        )

    whole = delta()
    monkeypatch.setattr(private, "GRADIENT_NUMBERS", 3 * 650)
    np.testing.assert_allclose(delta(), whole, atol=1e-5)


class Normed:
    """A plug-in's model whose rows meet in a batch's mean."""

    name, features, classes, length = "normed", 64, 10, 64 * 10 + 10 + 128

    def initial(self, seed: int) -> np.ndarray:
        return np.zeros(self.length)

    def module(self, vector: np.ndarray) -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 10))

    def vector(self, module: nn.Module) -> np.ndarray:
        return np.zeros(self.length)


def test_a_model_in_which_rows_meet_is_refused() -> None:
    with pytest.raises(FairshareError) as caught:
        check_private(Normed())
    assert caught.value.reason is Reason.BAD_INPUT
    assert "BatchNorm" in caught.value.message
    assert "\n" not in caught.value.message


def test_divergence_is_an_error(softmax: Task, digits: Data) -> None:
    wild = Dataset(digits[1].X * np.float32(1e38), digits[1].y)
    with pytest.raises(FairshareError) as caught:
        private_delta(softmax, softmax.initial(0), wild, TRAINING, Noise(1.0, 1.0), secret(6), "cpu", 1)
    assert caught.value.reason is Reason.BAD_DATA


def test_rounds_with_noise_still_learn_the_digits(softmax: Task, digits: Data) -> None:
    parts = split.iid(digits[0], 4, 0)
    weights = softmax.initial(0)
    recipe = training(epochs=3)
    for number in range(3):
        deltas = [
            private_delta(softmax, weights, part, recipe, Noise(1.0, 1.0), secret(4 * number + i), "cpu", 1)
            for i, part in enumerate(parts)
        ]
        weights = weights + np.mean(deltas, axis=0)
    assert evaluate.accuracy(softmax, weights, digits[1]) >= 0.80
