"""Small circuits, built once a session with a test SRS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zk import keys, prover
from zk.files import CircuitFiles
from zk.shape import CircuitShape

SHAPE = CircuitShape(slots=3, length=4)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("circuits")


@pytest.fixture(scope="session")
def files(cache: Path) -> CircuitFiles:
    return keys.build(SHAPE, cache)


@pytest.fixture(scope="session")
def proof(files: CircuitFiles) -> prover.Proof:
    updates = [np.array([1, -2, 3, -4]), np.array([100, 0, -100, 7]), np.array([-32768, 32767, 5, 0])]
    return prover.prove(files, updates)
