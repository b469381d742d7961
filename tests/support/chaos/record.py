"""What befell whom, and when by the chain's time: who may be excused for having missed something. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.support.chaos.plan import Kind


@dataclass(frozen=True)
class Entry:
    """One mischief. `timestamp`: of the newest block then."""

    timestamp: int
    round: int
    kind: Kind
    target: str


@dataclass
class Record:
    """`down`: when a participant's process did not run, as block times; the last end None where it is still down."""

    entries: list[Entry] = field(default_factory=list)
    down: dict[str, list[tuple[int, int | None]]] = field(default_factory=dict)
    ended: list[tuple[str, int, str]] = field(default_factory=list)  # who ended by itself: status, last line

    def note(self, timestamp: int, round_: int, kind: Kind, target: str) -> None:
        """Something was done to `target`."""
        self.entries.append(Entry(timestamp, round_, kind, target))

    def went_down(self, name: str, timestamp: int) -> None:
        """Its process is gone."""
        self.down.setdefault(name, []).append((timestamp, None))

    def came_up(self, name: str, timestamp: int) -> None:
        """Its process was started again."""
        since, _ = self.down[name].pop()
        self.down[name].append((since, timestamp))

    def was_down(self, name: str, timestamp: int, for_s: int = 0) -> bool:
        """Whether it did not run at a block time, or came up less than `for_s` seconds before."""
        return any(
            since <= timestamp and (until is None or timestamp <= until + for_s)
            for since, until in self.down.get(name, ())
        )

    def targets(self, kind: Kind) -> dict[str, int]:
        """Whom, or what, a kind was done to, and how often."""
        return dict(Counter(entry.target for entry in self.entries if entry.kind is kind))

    def counts(self) -> dict[str, int]:
        """How often each kind happened."""
        return dict(Counter(entry.kind.value for entry in self.entries))
