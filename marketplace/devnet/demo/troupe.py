"""The demo's parties as processes, started by command line; none outlives the demo."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from marketplace.devnet.nursery import Nursery
from marketplace.devnet.processes import dies_with_parent
from marketplace.errors import FairshareError, Reason

_STOP_S = 10.0
COMMAND = (sys.executable, "-m", "marketplace.cli.main")


class Running(Protocol):
    """A process, as of `subprocess.Popen`."""

    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


@dataclass
class Party:
    """A role's process, its log of JSON lines and what it said on stderr."""

    name: str
    process: Running
    log: Path
    words: Path

    @property
    def last_words(self) -> str:
        """The last line that it said on stderr."""
        lines = self.words.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


@dataclass
class Troupe:
    """Starts and ends the parties. `settings`: FAIRSHARE_* variables that hold for all.

    `nursery`: that they are forked from; None: each loads its libraries by itself.
    """

    directory: Path
    settings: dict[str, str]
    nursery: Nursery | None = None
    parties: dict[str, Party] = field(default_factory=dict)

    def start(self, name: str, keystore: Path, arguments: list[str]) -> Party:
        """Starts `fairshare ARGUMENTS` as `name`, with a state directory and a keystore of its own."""
        home = self.directory / name
        home.mkdir(mode=0o700, exist_ok=True)
        words, log = home / "stderr.txt", home / "log.jsonl"
        command, environment = [*arguments, "--log-file", str(log)], self._environment(home, keystore)
        process = self._started(command, environment, words)
        self.parties[name] = Party(name, process, log, words)
        return self.parties[name]

    def _started(self, arguments: list[str], environment: dict[str, str], words: Path) -> Running:
        if self.nursery is not None:
            return self.nursery.start(arguments, environment, words)
        with words.open("wb") as said:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the demo, which ends its parties in order
                preexec_fn=dies_with_parent(),
            )

    def run(self, keystore: Path, arguments: list[str], *, home: str, timeout_s: float) -> tuple[int, str]:
        """Runs `fairshare ARGUMENTS` to its end; exit status and stdout. Raises INTERNAL when it takes too long."""
        directory = self.directory / home
        directory.mkdir(mode=0o700, exist_ok=True)
        with (directory / "stderr.txt").open("ab") as said:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self._environment(directory, keystore),
                start_new_session=True,
                preexec_fn=dies_with_parent(),
            )
            try:
                output, _ = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                raise FairshareError(
                    Reason.INTERNAL,
                    f"`fairshare {arguments[0]} {arguments[1]}` takes too long",
                    f"see {directory}",
                ) from error
            finally:
                _end([process])
        return process.returncode, output.decode(errors="replace")

    def failed(self) -> Party | None:
        """A party that has ended with an error."""
        return next((party for party in self.parties.values() if party.process.poll() not in (None, 0)), None)

    def wait(self, timeout_s: float) -> None:
        """Waits until all have ended by themselves, or for `timeout_s` seconds."""
        give_up_at = time.monotonic() + timeout_s
        for party in self.parties.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                party.process.wait(max(0.0, give_up_at - time.monotonic()))

    def stop(self) -> None:
        """Ends all that still run, gently at first."""
        _end([party.process for party in self.parties.values()])

    def _environment(self, home: Path, keystore: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
        return inherited | {
            **self.settings,
            "FAIRSHARE_STATE_DIR": str(home),
            "FAIRSHARE_KEYSTORE": str(keystore),
            "OMP_NUM_THREADS": "1",  # many processes share the machine
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _end(processes: Sequence[Running]) -> None:
    for number, patience_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
        running = [process for process in processes if process.poll() is None]
        for process in running:
            process.send_signal(number)
        give_up_at = time.monotonic() + patience_s
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, give_up_at - time.monotonic()))
