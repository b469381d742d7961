"""What suites share: one live market, started on first use; each test posts a project of its own on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.circuits import circuit_cache
from tests.support.live_market import LiveMarket, live_market

# A machine shared with others is slow at times: how long an example takes to draw says nothing of the code.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveMarket]:
    folder: Path = tmp_path_factory.mktemp("market")
    with live_market(folder, circuit_cache()) as running:
        yield running
