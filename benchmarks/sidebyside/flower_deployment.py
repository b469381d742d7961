"""Flower's deployment engine: a SuperLink, a SuperNode for each trainer, and `flwr run`, as processes on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sidebyside import plain

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
START_S = 60.0
_APP = """\
[project]
name = "sidebyside"
version = "1.0.0"
dependencies = []

[tool.flwr.app]
publisher = "fairshare"

[tool.flwr.app.components]
serverapp = "flower_app:server_app"
clientapp = "flower_app:client_app"

[tool.flwr.app.config]
"""


def main() -> int:
    """The exit status of `flwr run`, which goes on until the run is over."""
    work = plain.read_work(plain.folder())
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flower-")))
        link, *nodes = _free_ports(1 + work.trainers)
        # Its programs start each other by name.
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        environment = os.environ | {"FLWR_HOME": str(home), "PATH": path}
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:{link}"\ninsecure = true\n'
        )
        app = home / "app"
        app.mkdir()
        (app / "pyproject.toml").write_text(_APP)
        for name in ("flower_app.py", "plain.py", "work.py"):
            shutil.copy(HERE / name, app)

        def start(name: str, *arguments: str) -> None:
            process = subprocess.Popen([str(BIN / name), "--insecure", *arguments], env=environment)
            stack.callback(_end, process)

        start("flower-superlink", "--host", "127.0.0.1", "--port", str(link))
        _wait_for(link)
        for number, port in enumerate(nodes):
            start(
                "flower-supernode",
                *("--superlink", f"127.0.0.1:{link}", "--host", "127.0.0.1", "--port", str(port)),
                *("--node-config", f"partition-id={number}"),
            )
        return subprocess.run(
            [str(BIN / "flwr"), "run", str(app), "here", "--stream"], env=environment, check=False
        ).returncode


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
