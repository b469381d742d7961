"""Peak memory of a demo's processes, read from /proc while they run (Linux)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

LOOK_S = 0.5
_WORKER = b"zk.worker"


@dataclass
class Peaks:
    """By party, MiB: of its own process, and of what it started to prove or make keys in.

    A process that lived and died between two looks is missed. `directory`: the demo's; a party is named by its log.
    """

    directory: Path
    own: dict[str, float] = field(default_factory=dict)
    workers: dict[str, float] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        parties: dict[int, str] = {}
        workers: list[tuple[int, Path]] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if _WORKER in words and b"-m" in words:
                    workers.append((_number(entry, "PPid"), entry))
                logs = [Path(word.decode()) for word in words if word.endswith(b"log.jsonl")]
                if logs and logs[0].is_relative_to(self.directory):
                    name = logs[0].parent.name
                    parties[int(entry.name)] = name
                    self.own[name] = max(self.own.get(name, 0.0), _number(entry, "VmHWM") / 1024)
            except (OSError, KeyError):  # it ended while we looked
                continue
        for parent, entry in workers:
            name = parties.get(parent)
            try:
                if name is not None:
                    self.workers[name] = max(self.workers.get(name, 0.0), _number(entry, "VmHWM") / 1024)
            except (OSError, KeyError):
                continue


def _number(process: Path, name: str) -> int:
    """A number in /proc/PID/status; KeyError for one that a process without memory lacks."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)
