"""What the hooks said, kept for who asks: the loops, the work, the projects."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError
from marketplace.node.telemetry.hooks import Telemetry, Work


@dataclass(frozen=True)
class Loop:
    """A daemon's loop. Times are those of `time.monotonic`."""

    name: str
    turned_at: float
    acting: bool = False  # on what it saw; else it waits for a block
    busy: Work | None = None
    busy_since: float = 0.0
    error: str | None = None  # that ended it
    broken: bool = False  # by a bug, which nobody has told yet


@dataclass(frozen=True)
class Effort:
    """How often a kind of work was done, and how long it took in all, in seconds."""

    times: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment, `at`. `projects`: as they were last seen, by number."""

    at: float
    started_at: float
    loops: tuple[Loop, ...]
    efforts: dict[Work, Effort]
    projects: dict[int, tuple[Project, Block]]
    block: Block | None  # the newest that was seen
    fetched_bytes: int
    stored_bytes: int


class Record(Telemetry):
    """Keeps what it is told. Safe to share between threads; `now` tells seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._started_at = now()
        self._loops: dict[str, Loop] = {}
        self._of_thread: dict[int, str] = {}
        self._efforts: dict[Work, Effort] = {work: Effort() for work in Work}
        self._projects: dict[int, tuple[Project, Block]] = {}
        self._block: Block | None = None
        self._fetched = self._stored = 0

    def snapshot(self) -> Snapshot:
        """As it is now."""
        with self._lock:
            return Snapshot(
                at=self._now(),
                started_at=self._started_at,
                loops=tuple(self._loops.values()),
                efforts=dict(self._efforts),
                projects=dict(self._projects),
                block=self._block,
                fetched_bytes=self._fetched,
                stored_bytes=self._stored,
            )

    @contextmanager
    def loop(self, name: str) -> Iterator[Callable[[], None]]:
        """See `Telemetry`. A loop that ends well is forgotten, one that an error ends is kept with it."""
        thread = threading.get_ident()
        with self._lock:
            outer = self._of_thread.get(thread, "")
            self._of_thread[thread] = name
            self._loops[name] = Loop(name, self._now())

        def turned() -> None:
            with self._lock:
                self._loops[name] = Loop(name, self._now())

        try:
            yield turned
        except Exception as error:
            foreseen = isinstance(error, FairshareError)
            said = str(error) if foreseen else type(error).__name__
            with self._lock:
                self._loops[name] = Loop(name, self._now(), error=said, broken=not foreseen)
            raise
        else:
            with self._lock:
                self._loops.pop(name, None)
        finally:
            with self._lock:
                self._of_thread[thread] = outer

    @contextmanager
    def at_work(self, work: Work) -> Iterator[None]:
        """See `Telemetry`."""
        began = self._now()
        try:
            with self.waiting(work):
                yield
        finally:
            with self._lock:
                before = self._efforts[work]
                self._efforts[work] = Effort(before.times + 1, before.seconds + self._now() - began)

    @contextmanager
    def waiting(self, work: Work) -> Iterator[None]:
        """See `Telemetry`. Work within work is the outer one's."""
        outermost = self._set_busy(work)
        try:
            yield
        finally:
            if outermost:
                self._set_idle()

    def saw(self, number: int, project: Project, block: Block) -> None:
        """See `Telemetry`."""
        with self._lock:
            self._projects[number] = (project, block)
            loop = self._loops.get(self._of_thread.get(threading.get_ident(), ""))
            if loop is not None:
                self._loops[loop.name] = dataclasses.replace(loop, acting=True)
            if self._block is None or block.number >= self._block.number:
                self._block = block

    def fetched(self, size: int) -> None:
        """See `Telemetry`."""
        with self._lock:
            self._fetched += size

    def stored(self, size: int) -> None:
        """See `Telemetry`."""
        with self._lock:
            self._stored += size

    def _set_busy(self, work: Work) -> bool:
        with self._lock:
            loop = self._loops.get(self._of_thread.get(threading.get_ident(), ""))
            if loop is None or loop.busy is not None:
                return False
            self._loops[loop.name] = dataclasses.replace(loop, busy=work, busy_since=self._now())
            return True

    def _set_idle(self) -> None:
        with self._lock:
            loop = self._loops[self._of_thread[threading.get_ident()]]
            self._loops[loop.name] = dataclasses.replace(loop, turned_at=self._now(), busy=None)
