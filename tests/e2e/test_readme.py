"""The README's "three roles by hand": its commands, word for word, each block in a terminal of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.compile import project_root
from marketplace.devnet.record import DevnetRecord
from tests.support.circuits import circuit_cache

BLOCK = re.compile(r"<!-- by hand: ([a-z]+) -->\n```sh\n(.*?)```", re.DOTALL)


def blocks() -> dict[str, str]:
    return dict(BLOCK.findall((project_root() / "README.md").read_text("utf8")))


class Terminal:
    """A shell in which a block of the README is typed."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.output = folder / f"{name}.txt"
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", blocks()[name]],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def finish(self, timeout_s: float) -> str:
        """What it said, once it has ended well."""
        status = self._process.wait(timeout_s)
        said = self.output.read_text()
        assert status == 0, said
        return said

    def close(self) -> None:
        """Ends what still runs in it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def environment() -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FAIRSHARE_DEVNET_PORT": str(port),
        "FAIRSHARE_CACHE_DIR": str(circuit_cache()),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def devnet(tmp_path: Path, environment: dict[str, str]) -> Iterator[Path]:
    Terminal("devnet", tmp_path, environment).finish(120)
    yield tmp_path
    subprocess.run(
        [sys.executable, "-m", "marketplace.cli.main", "devnet", "down", "--dir", str(tmp_path / "devnet")],
        check=False,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.timeout(600)
def test_each_role_runs_by_hand(devnet: Path, environment: dict[str, str]) -> None:
    record = DevnetRecord.load(devnet / "devnet")
    terminals = {}
    try:
        terminals["owner"] = Terminal("owner", devnet, environment)
        _wait_for_text(terminals["owner"], "project 1")
        for name in ("aggregator", "trainers"):
            terminals[name] = Terminal(name, devnet, environment)
        said = {name: terminal.finish(400) for name, terminal in terminals.items()}
    finally:
        for terminal in terminals.values():
            terminal.close()
    assert "the project is settled" in said["owner"]
    assert len(re.findall(r"accuracy 0\.[89]\d+", said["owner"])) == 2
    assert said["trainers"].count('"event": "project over"') == 5

    afterwards = Terminal("afterwards", devnet, environment).finish(240)
    assert "round 2: paid " in afterwards
    assert "everything holds" in afterwards
    assert (devnet / "devnet" / "model.npz").is_file()
    assert not any(process.runs() for process in record.processes())


def _wait_for_text(terminal: Terminal, text: str) -> None:
    for _ in range(1200):
        if text in terminal.output.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(terminal.output.read_text())
