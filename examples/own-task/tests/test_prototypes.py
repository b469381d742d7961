"""What every task must keep, held against this one."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError
from marketplace.learning import datasets, evaluate, tasks
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.owner.draft import draft
from marketplace.spec import ProjectFile
from marketplace.spec.sections import TaskSection

FILE = ProjectFile.from_toml(draft("prototypes", 5, 3))


def task_of(**options: Any) -> Task:
    return tasks.load(
        TaskSection.model_validate({"kind": "prototypes", "features": 64, "classes": 10, **options})
    )


def test_the_vector_goes_through_the_module_and_back() -> None:
    task = task_of(per_class=3)
    assert task.length == 3 * 640
    vector = np.random.default_rng(0).normal(size=task.length).astype(np.float32).astype(np.float64)
    module = task.module(vector)
    np.testing.assert_array_equal(task.vector(module), vector)
    assert module(torch.zeros(3, 64)).shape == (3, 10)
    with pytest.raises(ValueError, match="1920"):
        task.module(vector[:-1])


def test_the_initial_vector_is_the_same_everywhere() -> None:
    digest = hashlib.sha256(task_of().initial(5).astype("<f8").tobytes()).hexdigest()
    assert digest[:16] == "ed4884d3b5bcb696"


def test_a_row_belongs_to_the_nearest_prototype() -> None:
    task = task_of()
    vector = task.initial(1)
    points = vector.reshape(10, 2, 64).astype(np.float32)
    logits = task.module(vector)(torch.from_numpy(points[:, 1])).detach().numpy()
    squares = ((points[:, 1][:, None, None] - points) ** 2).sum(axis=3)
    np.testing.assert_allclose(logits, np.log(np.exp(-squares).sum(axis=2)), rtol=1e-4)


def test_the_template_s_project_learns_and_repeats_itself() -> None:
    task = tasks.load(FILE.task)
    training, held_out = datasets.digits()
    weights = task.initial(FILE.training.seed)
    before = evaluate.accuracy(task, weights, held_out)
    delta = local_delta(task, weights, training, FILE.training, 7, "cpu", 1)
    np.testing.assert_array_equal(delta, local_delta(task, weights, training, FILE.training, 7, "cpu", 1))
    assert np.linalg.norm(delta) < FILE.training.clip_norm / 2
    assert before < 0.3
    assert evaluate.accuracy(task, weights + delta, held_out) > 0.85


@pytest.mark.parametrize("wrong", [{"per_class": 0}, {"sharpness": "sharp"}, {"depth": 2}])
def test_a_wrong_option_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(FairshareError, match=f"task\\.{next(iter(wrong))}"):
        task_of(**wrong)
