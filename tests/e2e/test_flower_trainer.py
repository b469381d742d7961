"""`fairshare trainer run --flower`: the client is tried before anything is at stake."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from marketplace.errors import EXIT_STATUS, Reason
from marketplace.learning.data import save_npz
from tests.support.live_market import PROJECTION, LiveMarket, project_file
from tests.support.processes import FAIRSHARE

CLIENTS = Path(__file__).parents[1] / "unit" / "trainer" / "flower"


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_a_client_is_tried_before_joining(market: LiveMarket, tmp_path: Path) -> None:
    project = market.post(project_file(**PROJECTION))
    save_npz(tmp_path / "mine.npz", market.parts[0])

    def run(client: str, *more: str) -> subprocess.CompletedProcess[str]:
        arguments = ["trainer", "run", str(project), "--data", str(tmp_path / "mine.npz"), "--flower", client]
        root = str(Path(__file__).parents[2])  # the client's folder is the working directory
        return subprocess.run(
            [*FAIRSHARE, *arguments, *more, "--dry-run", "--json"],
            cwd=CLIENTS,
            env={
                **os.environ,
                **market.environment("trainer-0", tmp_path / "state"),
                "PYTHONPATH": _path(root),
            },
            capture_output=True,
            text=True,
            timeout=240,
        )

    sound = run("clients:Descent")
    assert sound.returncode == 0, sound.stderr
    assert json.loads(sound.stdout)["samples"] == len(market.parts[0])
    unknown = run("clients:nobody")
    assert unknown.returncode == EXIT_STATUS[Reason.BAD_INPUT]
    assert "clients:nobody" in unknown.stderr
    private = run("clients:Descent", "--dp-epsilon", "900", "--dp-delta", "0.001")
    assert private.returncode == EXIT_STATUS[Reason.BAD_INPUT]
    assert "leave --flower out" in private.stderr


def _path(root: str) -> str:
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([root, *([inherited] if inherited else [])])
