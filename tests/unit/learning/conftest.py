"""The task and the data of the default project."""

from __future__ import annotations

import pytest

from marketplace.learning import datasets, tasks
from marketplace.learning.data import Dataset
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TaskSection


@pytest.fixture(scope="session")
def softmax() -> Task:
    return tasks.load(TaskSection(kind="softmax", features=64, classes=10))


@pytest.fixture(scope="session")
def digits() -> tuple[Dataset, Dataset]:
    return datasets.digits()
