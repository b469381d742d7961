"""Local training and evaluation on the real digits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, split
from marketplace.learning.data import Dataset
from marketplace.learning.devices import pick_device
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol import fixed_point
from marketplace.spec import ProjectFile, template

PROJECT = ProjectFile.from_toml(template("softmax"))
Data = tuple[Dataset, Dataset]


def test_training_is_a_function_of_its_arguments(softmax: Task, digits: Data) -> None:
    part = split.iid(digits[0], 10, 0)[0]
    start = softmax.initial(0)

    def delta(seed: int) -> np.ndarray:
        return local_delta(softmax, start, part, PROJECT.training, seed, "cpu", 1)

    first = delta(1)
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, delta(1))
    assert first.dtype == np.float64
    assert first.shape == (650,)
    assert not np.array_equal(first, delta(2))
    assert not start.any()


def test_threads_are_set_back(softmax: Task, digits: Data) -> None:
    before = torch.get_num_threads()
    local_delta(softmax, softmax.initial(0), digits[1], PROJECT.training, 0, "cpu", before + 1)
    assert torch.get_num_threads() == before


def test_rounds_of_training_learn_the_digits(softmax: Task, digits: Data) -> None:
    parts = split.iid(digits[0], 4, 0)
    weights = softmax.initial(0)
    before = evaluate.loss(softmax, weights, digits[1])
    assert before == pytest.approx(np.log(10))
    for round_number in range(3):
        deltas = [
            local_delta(softmax, weights, part, PROJECT.training, round_number * 4 + i, "cpu", 1)
            for i, part in enumerate(parts)
        ]
        weights = weights + np.mean(deltas, axis=0)
    assert evaluate.accuracy(softmax, weights, digits[1]) >= 0.90
    assert evaluate.loss(softmax, weights, digits[1]) < before / 4


def test_an_honest_update_is_neither_clipped_nor_saturated(softmax: Task, digits: Data) -> None:
    for part in split.dirichlet(digits[0], 10, 0.5, 0):
        delta = local_delta(softmax, softmax.initial(0), part, PROJECT.training, 0, "cpu", 1)
        assert np.linalg.norm(delta) < PROJECT.training.clip_norm / 2
        update = fixed_point.quantise(delta, PROJECT.arithmetic.scale_bits, PROJECT.divisor)
        assert int(np.abs(update).max()) < fixed_point.UPDATE_LIMIT / 2
        assert int(update.astype(np.int64) @ update) <= PROJECT.max_norm_squared


def test_divergence_is_an_error(softmax: Task, digits: Data) -> None:
    wild = Dataset(digits[1].X * np.float32(1e30), digits[1].y)
    with pytest.raises(FairshareError) as caught:
        local_delta(softmax, softmax.initial(0), wild, PROJECT.training, 0, "cpu", 1)
    assert caught.value.reason is Reason.BAD_DATA


@pytest.mark.parametrize("name", ["tpu", "", "cuda:0"])
def test_an_unknown_device(name: str) -> None:
    with pytest.raises(FairshareError) as caught:
        pick_device(name)
    assert caught.value.reason is Reason.BAD_INPUT


def test_torch_is_not_loaded_by_importing() -> None:
    code = (
        "import sys, marketplace.spec, marketplace.learning.train, marketplace.learning.evaluate\n"
        "import marketplace.learning.datasets, marketplace.learning.split\n"
        "marketplace.spec.ProjectFile.from_toml(marketplace.spec.template('mlp'))\n"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
