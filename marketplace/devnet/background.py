"""A devnet that outlives the command that starts it, and its end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from marketplace.devnet.record import NAME, DevnetRecord
from marketplace.errors import FairshareError, Reason

_UP_S = 90.0
_DOWN_S = 15.0


def start(directory: Path, arguments: list[str]) -> DevnetRecord:
    """Starts `fairshare devnet up --foreground` as a process of its own and waits until the devnet is ready.

    Raises REFUSED where one runs already, else what stopped it, in its own words.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_path = directory / "devnet.log"
    with log_path.open("ab") as log:
        began = log.tell()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "marketplace.cli.main", "devnet", "up", "--foreground"),
                *("--dir", str(directory.absolute()), *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up_at = time.monotonic() + _UP_S
    while time.monotonic() < give_up_at:
        record = DevnetRecord.load(directory) if (directory / NAME).exists() else None
        if record is not None and record.supervisor.pid == process.pid:
            return record
        if process.poll() is not None:
            break
        time.sleep(0.05)
    else:
        process.terminate()
    with log_path.open("rb") as log:
        log.seek(began)
        words = log.read().decode(errors="replace").strip().splitlines()
    said = next((line for line in reversed(words) if line.startswith("error[")), "it did not come up in time")
    raise FairshareError(_reason_in(said), said.partition("]: ")[2] or said, f"see {log_path}")


def stop(directory: Path) -> tuple[int, ...]:
    """Ends the devnet in `directory` and exactly its processes; their numbers. Raises NOT_FOUND."""
    record = DevnetRecord.load(directory)
    ended = []
    for process in record.processes():  # the supervisor ends the others; they are here in case it was killed
        if process.runs():
            ended.append(process.pid)
            process.end(_DOWN_S)
    (directory / NAME).unlink(missing_ok=True)
    return tuple(ended)


def _reason_in(line: str) -> Reason:
    code = line.removeprefix("error[").partition("]")[0]
    return Reason(code) if code in set(Reason) else Reason.INTERNAL
