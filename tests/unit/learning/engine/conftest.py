"""Networks, data and a recipe that are trained in every way."""

from __future__ import annotations

import numpy as np
import pytest

from marketplace.learning.data import Dataset
from marketplace.spec import ProjectFile, template
from marketplace.spec.sections import TaskSection, TrainingSection

SECTIONS = {
    "mlp": {"kind": "mlp", "features": 64, "classes": 10, "hidden": 24},
    "cnn": {"kind": "cnn", "features": 64, "classes": 10, "channels": 4, "hidden": 16},
}


@pytest.fixture(params=SECTIONS)
def section(request: pytest.FixtureRequest) -> TaskSection:
    return TaskSection.model_validate(SECTIONS[request.param])


@pytest.fixture(scope="session")
def part(digits: tuple[Dataset, Dataset]) -> Dataset:
    """101 rows: no batch of 16 or share of it comes out even."""
    return digits[0].rows(np.arange(101))


@pytest.fixture(scope="session")
def recipe() -> TrainingSection:
    made = ProjectFile.from_toml(template("mlp")).training
    return made.model_copy(update={"epochs": 2, "batch_size": 16, "learning_rate": 0.05})
