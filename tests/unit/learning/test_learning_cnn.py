"""The convolutional network learns, the same way each time, and is evaluated in little memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from marketplace.learning import evaluate, split, tasks
from marketplace.learning.data import Dataset
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol import fixed_point
from marketplace.spec import ProjectFile, template
from marketplace.spec.sections import TaskSection

PROJECT = ProjectFile.from_toml(template("cnn"))
Data = tuple[Dataset, Dataset]


@pytest.fixture(scope="module")
def cnn() -> Task:
    return tasks.load(
        TaskSection.model_validate({"kind": "cnn", "features": 64, "classes": 10, "hidden": 64})
    )


def delta(task: Task, weights: np.ndarray, data: Dataset, seed: int) -> np.ndarray:
    return local_delta(task, weights, data, PROJECT.training, seed, "cpu", 1)


def test_training_is_a_function_of_its_arguments(cnn: Task, digits: Data) -> None:
    part, start = split.iid(digits[0], 10, 0)[0], cnn.initial(0)
    first = delta(cnn, start, part, 1)
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, delta(cnn, start, part, 1))
    assert not np.array_equal(first, delta(cnn, start, part, 2))
    assert np.count_nonzero(first[:320])  # the first convolution learns too


def test_rounds_of_training_learn_the_digits(cnn: Task, digits: Data) -> None:
    parts = split.iid(digits[0], 4, 0)
    weights = cnn.initial(0)
    assert evaluate.loss(cnn, weights, digits[1]) == pytest.approx(np.log(10))
    for round_number in range(9):
        deltas = [delta(cnn, weights, part, round_number * 4 + i) for i, part in enumerate(parts)]
        for made in deltas:
            assert np.linalg.norm(made) < PROJECT.training.clip_norm / 2
            update = fixed_point.quantise(made, PROJECT.arithmetic.scale_bits, PROJECT.divisor)
            assert int(np.abs(update).max()) < fixed_point.UPDATE_LIMIT
        weights = weights + np.mean(deltas, axis=0)
    assert evaluate.accuracy(cnn, weights, digits[1]) >= 0.90


def test_many_rows_are_evaluated_as_few_are(cnn: Task, digits: Data) -> None:
    weights = cnn.initial(0) + np.random.default_rng(1).normal(0, 0.05, cnn.length)
    rows = digits[0].rows(np.arange(evaluate.BATCH + 37))
    right = [evaluate.accuracy(cnn, weights, rows.rows(np.arange(i, i + 1))) for i in range(len(rows))]
    assert evaluate.accuracy(cnn, weights, rows) == pytest.approx(np.mean(right))


def test_a_million_parameters_are_evaluated_in_little_memory() -> None:
    """In a process of its own, whose peak is what it took: 8,192 images at once would need 2 GB."""
    code = (
        "import resource, numpy as np\n"
        "from marketplace.learning import evaluate, tasks\n"
        "from marketplace.learning.data import Dataset\n"
        "from marketplace.spec.sections import TaskSection\n"
        "task = tasks.load(TaskSection(kind='cnn', features=784, classes=10))\n"
        "weights = task.initial(0)\n"
        "rows = np.zeros((8192, 784), dtype=np.float32)\n"
        "evaluate.accuracy(task, weights, Dataset(rows[:1], np.zeros(1, dtype=np.int64)))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "evaluate.accuracy(task, weights, Dataset(rows, np.zeros(8192, dtype=np.int64)))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 400 << 20
