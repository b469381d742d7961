"""The API over one settled project in which much happened, and one that has just begun."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from marketplace.api import create_app
from tests.support.circuits import circuit_cache
from tests.support.deployed import deployed_market
from tests.support.stepped_market import Ground, play
from tests.support.told_market import SILENT, STRUCK, Told, play_eventfully
from trainer_node.behaviour import Attack


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    with deployed_market(folder, accounts=14) as (url, deployed):
        yield Ground(url, deployed, folder)


@pytest.fixture(scope="session")
def told(ground: Ground) -> Told:
    attacks = {SILENT: Attack.WITHHOLD, STRUCK: Attack.SIGN_FLIP}
    with play(ground, attacks=attacks, rounds__count=3, scoring__strike_factor=1000) as game:
        play_eventfully(game)
        settled = game.project
    with play(ground) as game:
        game.aggregators[0].join()
        for index in range(5):
            game.trainers[index].step()
            game.at(0)
        client = game.client
        return Told(ground, client, settled, game.project)


@pytest.fixture(scope="session")
def api(told: Told) -> Iterator[TestClient]:
    app = create_app(told.client, told.ground.store, circuit_cache())  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
