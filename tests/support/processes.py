"""Roles as a user runs them: one process each, by command line, against a running devnet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FAIRSHARE = (sys.executable, "-m", "marketplace.cli.main")


@dataclass
class Role:
    """A command line with the settings of one participant; may be killed and started again."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str]
    log: Path
    kills: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*FAIRSHARE, *self.arguments],
                env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.kills += 1

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Of the last run; None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(
    arguments: Sequence[str], environment: dict[str, str], timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*FAIRSHARE, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
