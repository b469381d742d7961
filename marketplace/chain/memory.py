"""What a client remembers of projects' events, so that they need not be read from the first on at each block."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from marketplace.chain.events.base import Event

KEPT_S = 3600.0  # then everything is read again: should an event have been left out, it is missed no longer than that
MOST_PROJECTS = 64  # the API may be asked for all there are


class Past(NamedTuple):
    """A project's events in the chain's order: all of those in the blocks up to `through`."""

    through: int
    events: tuple[Event, ...]


class EventMemory:
    """The pasts of the projects that were asked for last. Threads may share it."""

    def __init__(self) -> None:
        self._pasts: OrderedDict[int, tuple[float, Past]] = OrderedDict()  # with when it was first read
        self._lock = threading.Lock()

    def recall(self, project: int) -> Past | None:
        """None where it has to be read from the first event on."""
        with self._lock:
            since, past = self._pasts.get(project, (0.0, None))
            if past is None or time.monotonic() - since > KEPT_S:
                return None
            self._pasts.move_to_end(project)
            return past

    def keep(self, project: int, past: Past, before: Past | None) -> None:
        """What became of `before`, which was recalled; another thread's in its place stays."""
        with self._lock:
            since, known = self._pasts.get(project, (0.0, None))
            if before is None:
                self._pasts[project] = time.monotonic(), past
            elif known is before:
                self._pasts[project] = since, past
            while len(self._pasts) > MOST_PROJECTS:
                self._pasts.popitem(last=False)

    def forget(self) -> None:
        """All of it, where events turn out not to be those of the chain's state."""
        with self._lock:
            self._pasts.clear()
