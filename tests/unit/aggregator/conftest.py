from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.deployed import deployed_market
from tests.support.stepped_market import SLOTS, Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    with deployed_market(folder, accounts=3 + 2 * SLOTS) as (url, deployed):
        yield Ground(url, deployed, folder)
