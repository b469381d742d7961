"""The task for tables: what becomes of a column, and that it learns what neither kind of column says alone."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, tasks
from marketplace.learning.accounting import round_of
from marketplace.learning.data import Dataset
from marketplace.learning.private import Noise, check_private, private_delta
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TaskSection, TrainingSection

TRAINING = TrainingSection(epochs=8, batch_size=16, learning_rate=0.1, momentum=0.9, clip_norm=40.0)
COLUMNS = {"categories": [0, 3, 0, 2], "mean": [40.0, 3000.0], "scale": [12.0, 900.0]}


def task_of(features: int = 4, classes: int = 2, **options: Any) -> Task:
    return tasks.load(
        TaskSection.model_validate(
            {"kind": "tabular", "features": features, "classes": classes, "hidden": 12, **options}
        )
    )


def inputs_of(task: Task, rows: np.ndarray) -> np.ndarray:
    """What the first hidden layer gets."""
    module = task.module(task.initial(3))
    assert isinstance(module, torch.nn.Sequential)
    return np.asarray(module[0](torch.from_numpy(rows.astype(np.float32))).detach().numpy())


def people(count: int, seed: int) -> Dataset:
    """Age, job, income, country: the label needs the job and the age, on scales far apart."""
    generator = np.random.default_rng(seed)
    age, job = generator.normal(40, 12, count), generator.integers(0, 3, count)
    income, country = generator.normal(3000, 900, count), generator.integers(0, 2, count)
    label = (age > np.array([30.0, 40.0, 50.0])[job]) ^ (country == 1)
    return Dataset(np.stack([age, job, income, country], axis=1).astype(np.float32), label.astype(np.int64))


def test_numbers_are_normalised_and_categories_one_hot() -> None:
    rows = np.array([[52.0, 2, 2100.0, 0], [40.0, 0, 3000.0, 1]])
    expected = [[1.0, -1.0, 0, 0, 1, 1, 0], [0.0, 0.0, 1, 0, 0, 0, 1]]
    np.testing.assert_allclose(inputs_of(task_of(**COLUMNS), rows), expected, atol=1e-6)


@pytest.mark.parametrize("embedding", [0, 5])
@pytest.mark.parametrize("code", [-1.0, 3.0, 1e30, -1e30])
def test_a_category_that_there_is_not_counts_for_nothing(embedding: int, code: float) -> None:
    inputs = inputs_of(task_of(**COLUMNS, embedding=embedding), np.array([[40.0, code, 3000.0, 1]]))
    assert not inputs[0, 2 : 2 + (embedding or 3)].any()
    assert inputs[0, 2 + (embedding or 3) :].any()


def test_a_category_s_vector_stands_first_in_the_trained_vector() -> None:
    task = task_of(**COLUMNS, embedding=5)
    vector = task.initial(3)
    inputs = inputs_of(task, np.array([[40.0, 1, 3000.0, 1]]))
    np.testing.assert_array_equal(inputs[0, 2:], np.r_[vector[5:10], vector[20:25]].astype(np.float32))


def test_what_is_drawn_never_changes() -> None:
    # Made once, as in test_learning_tasks: posted projects depend on it.
    initial = task_of(**COLUMNS, embedding=5, layers=2).initial(7)
    assert hashlib.sha256(initial.astype("<f8").tobytes()).hexdigest()[:16] == "e31945ae42fe8aac"


@given(st.data())
def test_any_table_s_vector_goes_in_and_comes_out(data: Any) -> None:
    columns = data.draw(st.integers(1, 6))
    categories = data.draw(
        st.lists(st.sampled_from([0, 2, 3, 7]), min_size=columns, max_size=columns), label="categories"
    )
    embedding = data.draw(st.integers(0, 3)) if any(categories) else 0
    task = task_of(
        columns, 3, categories=categories, embedding=embedding, hidden=4, layers=data.draw(st.integers(1, 3))
    )
    vector = np.random.default_rng(1).normal(size=task.length).astype(np.float32).astype(np.float64)
    module = task.module(vector)
    np.testing.assert_array_equal(task.vector(module), vector)
    assert task.initial(0).shape == (task.length,)
    assert module(torch.zeros(2, columns)).shape == (2, 3)


@pytest.mark.parametrize("embedding", [0, 3])
def test_it_learns_and_repeats_itself(embedding: int) -> None:
    task, training, held_out = task_of(**COLUMNS, embedding=embedding), people(600, 1), people(300, 2)
    start = task.initial(0)
    assert evaluate.loss(task, start, held_out) == pytest.approx(np.log(2))
    delta = local_delta(task, start, training, TRAINING, 5, "cpu", 1)
    np.testing.assert_array_equal(delta, local_delta(task, start, training, TRAINING, 5, "cpu", 1))
    assert evaluate.accuracy(task, start + delta, held_out) > 0.9
    plain = task_of()  # neither normalised nor told which columns hold categories
    blind = local_delta(
        plain, plain.initial(0), training, TRAINING.model_copy(update={"learning_rate": 1e-6}), 5
    )
    assert evaluate.accuracy(plain, plain.initial(0) + blind, held_out) < 0.7


@pytest.mark.parametrize("embedding", [0, 3])
def test_it_can_be_trained_with_noise(embedding: int) -> None:
    task, data = task_of(**COLUMNS, embedding=embedding), people(60, 1)
    check_private(task)
    training = TRAINING.model_copy(update={"epochs": 1})
    delta = private_delta(task, task.initial(0), data, training, Noise(1.0, 1.0), bytes(32), "cpu", 1)
    assert np.count_nonzero(delta) == task.length
    assert round_of(len(data), training, 1.0).steps > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"categories": [0, 3, 0]}, "task.categories"),
        ({"categories": [0, 1, 0, 2]}, "task.categories"),
        ({"categories": [0, 2.0, 0, 2]}, "task.categories"),
        ({"categories": [0, 65_537, 0, 2]}, "task.categories"),
        ({"categories": 3}, "task.categories"),
        ({"mean": [1.0]}, "task.mean"),
        ({"scale": [1.0, 1.0, 0.0, 1.0]}, "task.scale"),
        ({"scale": [1.0, 1.0, -1.0, 1.0]}, "task.scale"),
        ({"embedding": 2}, "task.embedding"),
        ({"layers": 0}, "task.layers"),
        ({"width": 3}, "task.width"),
        ({"features": 4097}, "task.features"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(FairshareError) as caught:
        task_of(**options)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(named + ": ")
