from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.deployed import deployed_market
from tests.support.reference_game import ReferenceGround


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceGround]:
    folder = tmp_path_factory.mktemp("ground")
    with deployed_market(folder, accounts=14) as (url, deployed):
        yield ReferenceGround(url, deployed, folder)
