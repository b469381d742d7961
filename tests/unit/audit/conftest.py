"""One settled project of five rounds, with every turn a project can take, for the whole folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.audit.history import History, read_history
from marketplace.devnet.anvil import Anvil
from tests.support import market_run
from tests.support.circuits import circuit_cache
from tests.support.market_run import Play, Stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with Anvil(accounts=20) as chain:
        yield market_run.set_stage(chain.url, circuit_cache())


@pytest.fixture(scope="session")
def settled(stage: Stage) -> Play:
    return market_run.eventful_project(stage)


@pytest.fixture(scope="session")
def history(settled: Play) -> History:
    return read_history(settled.client, settled.project)


@pytest.fixture(scope="session")
def cache() -> Path:
    return circuit_cache()
