"""The API over one settled project, and one that has just begun."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from marketplace.api import create_app
from marketplace.devnet.anvil import Anvil, public_account
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
def begun(stage: Stage, settled: Play) -> Play:
    play = market_run.post(stage, public_account(0))
    market_run.gather(play, trainers=5)
    return play


@pytest.fixture(scope="session")
def api(stage: Stage, settled: Play, begun: Play) -> Iterator[TestClient]:
    app = create_app(stage.client, stage.store, circuit_cache())  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
