"""Three projects on one chain in which everything happens that a project can live through, for the whole folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.audit.history import History, read_history
from marketplace.devnet.anvil import Anvil
from tests.support import market_run, market_tales, sketched_run, sketched_tales
from tests.support.circuits import circuit_cache
from tests.support.market_run import Play, Stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with Anvil(accounts=20) as chain:
        yield market_run.set_stage(chain.url, circuit_cache())


@pytest.fixture(scope="session")
def settled(stage: Stage) -> Play:
    """Proved: five rounds, with a batch, complaints, a time-out, a skip and a challenge."""
    return market_tales.eventful_project(stage)


@pytest.fixture(scope="session")
def doubted(stage: Stage, settled: Play) -> Play:
    """On demand, with references: a proof that was demanded, a round undone, the set revealed."""
    return market_tales.doubted_project(stage)


@pytest.fixture(scope="session")
def drawn(stage: Stage, doubted: Play) -> Play:
    """Running: two cohorts, seats by draw."""
    return market_tales.drawn_project(stage)


@pytest.fixture(scope="session")
def history(settled: Play) -> History:
    return read_history(settled.client, settled.project)


@pytest.fixture(scope="session")
def doubted_history(doubted: Play) -> History:
    return read_history(doubted.client, doubted.project)


@pytest.fixture(scope="session")
def drawn_history(drawn: Play) -> History:
    return read_history(drawn.client, drawn.project)


@pytest.fixture(scope="session")
def cache() -> Path:
    return circuit_cache()


@pytest.fixture(scope="session")
def sketched_stage() -> Iterator[Stage]:
    with Anvil(accounts=20) as chain:
        shape = {"slots": sketched_run.SLOTS, "length": sketched_run.WIDTH}
        yield market_run.set_stage(chain.url, circuit_cache(), **shape)


@pytest.fixture(scope="session")
def questioned(sketched_stage: Stage) -> Play:
    """On the sketch path, on demand: questions of all kinds, a slot left out, a false answer, a round undone."""
    return sketched_tales.questioned_project(sketched_stage)


@pytest.fixture(scope="session")
def referenced(sketched_stage: Stage, questioned: Play) -> Play:
    """On the sketch path, proved, with references: one of them is left out."""
    return sketched_tales.referenced_project(sketched_stage)


@pytest.fixture(scope="session")
def questioned_history(questioned: Play) -> History:
    return read_history(questioned.client, questioned.project)


@pytest.fixture(scope="session")
def referenced_history(referenced: Play) -> History:
    return read_history(referenced.client, referenced.project)
