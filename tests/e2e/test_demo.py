"""The demo as a user runs it: its document, its verdict, and nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketplace.devnet.record import NAME, DevnetRecord
from tests.support.circuits import circuit_cache

SMALL = ["demo", "--trainers", "5", "--rounds", "2"]


def start(*arguments: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "marketplace.cli.main", *arguments],
        env=clean | {"FAIRSHARE_CACHE_DIR": str(circuit_cache())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(directory: Path) -> list[str]:
    """Command lines of running processes that name the demo's directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in line:
            found.append(line)
    return found


@pytest.mark.timeout(600)
def test_the_document_says_who_was_paid_what(tmp_path: Path) -> None:
    process = start(*SMALL, "--json", "--keep", str(tmp_path / "kept"))
    said, words = process.communicate(timeout=500)
    assert process.returncode == 0, words
    document = json.loads(said)

    assert document["audit"]["ok"] is True
    assert all(check["ok"] is True for check in document["audit"]["checks"])
    assert [round_["round"] for round_ in document["rounds"]] == [1, 2]
    for round_ in document["rounds"]:
        assert len(round_["merged"]) == 4  # n - f
        assert round_["accuracy"] > 0.85
        assert round_["proof_cpu_s"] > 0
        assert round_["gas"] > 500_000
        assert abs(sum(round_["shares"]) - 1) < 1e-4
        assert len(round_["krum_scores"]) == 5
    cheat = document["trainers"][4]
    assert (cheat["behaviour"], cheat["paid"], cheat["merged_rounds"]) == ("sign-flip", "0", 0)
    honest = document["trainers"][:4]
    assert all(int(trainer["paid"]) > 0 and trainer["stake_lost"] == "0" for trainer in honest)
    paid = sum(int(trainer["paid"]) for trainer in document["trainers"])
    fees = sum(int(aggregator["fee"]) for aggregator in document["aggregators"])
    lost = sum(int(member["stake_lost"]) for member in document["trainers"])
    owner = document["owner"]
    assert int(owner["escrow"]) + lost == paid + fees + int(owner["refund"])
    assert document["model"]["accuracy"] == document["rounds"][-1]["accuracy"]
    assert document["seconds"]["run"] > 0
    assert not processes_of(tmp_path)
    assert (tmp_path / "kept" / "trainer-0" / "log.jsonl").is_file()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.deep), signal.SIGKILL]
)
def test_however_it_ends_nothing_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    kept = tmp_path / "kept"
    process = start("demo", "--trainers", "3", "--rounds", "1", "--keep", str(kept))
    _wait_until(lambda: len(list(kept.glob("trainer-*"))) == 3, 120)
    record = DevnetRecord.load(kept / "devnet")
    process.send_signal(how)
    _, words = process.communicate(timeout=90)
    assert process.returncode == (-how if how == signal.SIGKILL else 130), words
    assert "Traceback" not in words
    _wait_until(lambda: not processes_of(tmp_path) and not any(p.runs() for p in record.processes()), 30)
    assert (kept / "devnet" / NAME).exists() == (how == signal.SIGKILL)


def _wait_until(condition, timeout_s: float) -> None:  # type: ignore[no-untyped-def]
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come to that in time"
        time.sleep(0.1)
