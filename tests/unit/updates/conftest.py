"""A circuit whose length can be a sketch's, kept between runs."""

from __future__ import annotations

import pytest

from tests.support.circuits import circuit_cache
from zk import keys
from zk.files import CircuitFiles
from zk.shape import CircuitShape


@pytest.fixture(scope="session")
def files() -> CircuitFiles:
    return keys.build(CircuitShape(slots=3, length=256), circuit_cache())
