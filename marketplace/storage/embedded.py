"""An embedded storage node: starts `marketplace.storage.kubo_node` as a child process and stops it."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from marketplace.errors import FairshareError, Reason

_STOP_S = 10.0
_LOG_BYTES = 1024 * 1024


class EmbeddedNode:
    """A node with its data in `repo`; ports 0 are picked free at the first start, and kept over restarts.

    The child has a session of its own, so that Ctrl-C reaches only the parent, which still needs its storage
    to finish what it does; it ends when the parent's end of its stdin closes, however the parent ends.
    """

    def __init__(
        self,
        repo: Path,
        api_port: int = 0,
        swarm_port: int = 0,
        *,
        listen: str = "127.0.0.1",
        start_timeout_s: float = 60.0,
    ) -> None:
        self.repo = repo.absolute()
        self._api_port = api_port
        self._arguments = [
            *("--repo", str(self.repo)),
            *("--swarm-port", str(swarm_port), "--listen", listen, "--until-stdin-closes"),
        ]
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._api = ""

    @property
    def api(self) -> str:
        """Multiaddress of the RPC, for `ContentStore`. Raises STORAGE_UNREACHABLE before `start`."""
        if not self._api:
            raise FairshareError(
                Reason.STORAGE_UNREACHABLE, "the storage node is not running", "start it first"
            )
        return self._api

    @property
    def pid(self) -> int:
        """Process ID of the node, 0 if not started."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it serves; does nothing if it runs.

        Raises STORAGE_UNREACHABLE with the child's own words if it does not come up.
        """
        if self.running:
            return
        self.stop()
        self.repo.mkdir(parents=True, exist_ok=True, mode=0o700)
        log_path = self.repo / "node.log"
        with contextlib.suppress(FileNotFoundError):
            if log_path.stat().st_size > _LOG_BYTES:
                log_path.unlink()
        with log_path.open("ab") as log:
            began = log.tell()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "marketplace.storage.kubo_node", *self._arguments),
                    *("--api-port", str(self._api_port)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        line = self._first_line()
        if not line.startswith("ready "):
            self.stop()
            with log_path.open("rb") as log:
                log.seek(began)
                words = log.read().decode(errors="replace").strip().splitlines()
            cause = words[-1] if words else f"it did not come up within {self._start_timeout_s:.0f} s"
            raise FairshareError(
                Reason.STORAGE_UNREACHABLE, f"the storage node did not start: {cause}", f"see {log_path}"
            )
        self._api = line.split()[1]
        self._api_port = int(self._api.split("/")[4])  # a client that has the address finds it again

    def stop(self) -> None:
        """Stop the node and wait until it is gone, killed if it must be. Safe to call twice."""
        process, self._process, self._api = self._process, None, ""
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + self._start_timeout_s
        received = b""
        with selectors.DefaultSelector() as selector:  # select() takes no descriptor beyond 1023
            selector.register(descriptor, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                piece = os.read(descriptor, 4096) if ready else b""
                if not piece:
                    break
                received += piece
        return received.decode(errors="replace").strip()

    def __enter__(self) -> EmbeddedNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
