"""What a daemon's parts tell while they work. Nobody listens unless somebody was asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from marketplace.chain.types import Block, Project


class Work(StrEnum):
    """What takes a node's time."""

    TRAINING = "training"
    COMMITTING = "committing"
    PROVING = "proving"
    FETCHING = "fetching"
    SENDING = "sending"  # a transaction, until it is mined


class Telemetry:
    """Keeps nothing; `Record` keeps all of it. Called from any thread."""

    @contextmanager
    def loop(self, name: str) -> Iterator[Callable[[], None]]:
        """While this thread is in a daemon's loop, which calls what it is given whenever it looks at the chain."""
        yield lambda: None

    @contextmanager
    def at_work(self, work: Work) -> Iterator[None]:
        """While this thread works; the time it takes is counted."""
        yield

    @contextmanager
    def waiting(self, work: Work) -> Iterator[None]:
        """While this thread waits for work that another one does, and counts."""
        yield

    def saw(self, number: int, project: Project, block: Block) -> None:
        """A project as read at the newest block."""

    def fetched(self, size: int) -> None:
        """Bytes that came out of storage."""

    def stored(self, size: int) -> None:
        """Bytes handed to our storage node, from where others fetch them."""


NO_TELEMETRY = Telemetry()
