"""`fairshare challenge` on a real market: a stranger doubts the last round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.events import Challenged
from marketplace.chain.types import ChallengeKind
from marketplace.devnet import accounts
from marketplace.errors import EXIT_STATUS, Reason
from tests.support.circuits import circuit_cache
from tests.support.deployed import deployed_market
from tests.support.stepped_market import Ground, play


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    with deployed_market(folder, accounts=14) as (url, deployed):
        yield Ground(url, deployed, folder)


def challenge(ground: Ground, folder: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    """What the command says to a fresh account with coins."""
    accounts.create(ChainClient(ground.url), folder / "keys", ["stranger"])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
    done = subprocess.run(
        [sys.executable, "-m", "marketplace.cli.main", "challenge", *arguments, "--json"],
        env=clean
        | {
            "FAIRSHARE_RPC": ground.url,
            "FAIRSHARE_MARKET": ground.deployment.market,
            "FAIRSHARE_KEYSTORE": str(folder / "keys" / "stranger.json"),
            "FAIRSHARE_PASSWORD_FILE": str(folder / "keys" / accounts.PASSWORD_FILE),
            "FAIRSHARE_STATE_DIR": str(folder),
            "FAIRSHARE_CACHE_DIR": str(circuit_cache()),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("doubt", ["model", "proof"])
def test_anybody_can_challenge_the_last_round(ground: Ground, tmp_path: Path, doubt: str) -> None:
    with play(ground) as game:
        game.start()
        project = str(game.project)
        status, said = challenge(ground, tmp_path, project, doubt)
        assert status == EXIT_STATUS[Reason.REFUSED], said

        game.submit()
        boss = game.aggregators[0]
        boss.post(boss.result(boss.opened()))
        status, said = challenge(ground, tmp_path, project, doubt)
        assert status == 0, said
        (found,) = game.events(Challenged)
        assert found.kind is ChallengeKind[doubt.upper()]  # type: ignore[attr-defined]
        assert (said["round"], said["deadline"]) == (1, found.deadline)  # type: ignore[attr-defined]
        assert int(str(said["deposit"])) == boss.context.terms.complaint_deposit
        status, said = challenge(ground, tmp_path, project, doubt)
        assert status == 0, "the same challenge again is the same effect"
        assert len(game.events(Challenged)) == 1
