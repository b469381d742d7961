"""One run of an audit: what it reads from, and what its checks hand on to later ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from marketplace.audit.history import History, Progress
from marketplace.audit.ledger import Ledger, read_ledger
from marketplace.audit.replay import Replay
from marketplace.audit.report import Check, failed, run_check, unchecked
from marketplace.audit.rounds import Theme
from marketplace.audit.shelf import Shelf
from marketplace.chain.client import MarketClient
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.store import ContentStore
from marketplace.updates.sealing import EncryptionKey
from marketplace.updates.tree_committer import TreeCommitter
from zk.commit import Committer
from zk.files import CircuitFiles


@dataclass
class Run:
    """What an earlier check fetched is there for later ones; where it failed, they cannot be made."""

    client: MarketClient
    store: ContentStore
    cache: Path
    say: Progress
    from_block: int | None
    timeout_s: float
    history: History
    replayed: Replay
    keys: tuple[EncryptionKey, ...] = ()  # members', which sealed models are opened with
    spec: ProjectSpec | None = None
    files: CircuitFiles | None = None
    ledger: Ledger | None = None
    shelf: Shelf | None = None
    held: set[tuple[Theme, int | None, int | None]] = field(default_factory=set)

    def check(self, name: str, make: Callable[[], str]) -> Check:
        """Makes one check."""
        self.say(name)
        return run_check(name, make)

    def holds(
        self, theme: Theme, round: int | None, detail: str, *, cohort: int | None = None, open_: str = ""
    ) -> Callable[[], str]:
        """A check of what the replay found; `open_`: why it could not look."""
        self.held.add((theme, round, cohort))

        def make() -> str:
            wrong = self.replayed.about(theme, round, cohort)
            if wrong:
                more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
                raise failed(f"{wrong[0]}{more}")
            if open_:
                raise unchecked(open_)
            return detail

        return make

    def untold(self, round: int) -> list[Theme]:
        """Themes with a violation in this round that no check has told."""
        found = [violation for violation in self.replayed.violations if violation.round == round]
        told = {Theme.TIMELINE, Theme.MONEY}  # each has a check for the whole project
        return [
            theme
            for theme in Theme
            if theme not in told
            and any(
                violation.theme is theme
                and not {(theme, round, None), (theme, round, violation.cohort)} & self.held
                for violation in found
            )
        ]

    def need_spec(self) -> ProjectSpec:
        """The spec, once it was checked."""
        if self.spec is None:
            raise unchecked("it needs the project's spec")
        return self.spec

    def need_files(self) -> CircuitFiles:
        """The circuit's files, likewise."""
        if self.files is None:
            raise unchecked("it needs the circuit's files")
        return self.files

    @property
    def is_sketched(self) -> bool:
        """Whether proofs run over sketches (docs/sketch.md)."""
        return self.history.terms.chunks != 0

    @property
    def is_sealed(self) -> bool:
        """Whether models are sealed to the members; False also where the spec could not be had."""
        return self.spec is not None and self.spec.is_sealed

    def need_committer(self) -> Committer | TreeCommitter:
        """What commits to the project's packed vectors, once the circuit's files are there."""
        return self.need_shelf().committer if self.is_sketched else Committer(self.need_files())

    def need_length(self) -> int:
        """Numbers of a packed vector, likewise."""
        return self.need_shelf().length if self.is_sketched else self.need_files().shape.length

    def need_shelf(self) -> Shelf:
        """On the sketch path: what its results published."""
        if self.shelf is None:
            terms = self.history.terms
            committer = TreeCommitter(self.need_files(), terms.chunk_length, terms.chunks)
            self.shelf = Shelf(self.store, committer, terms.chunks, terms.chunk_length, self.timeout_s)
        return self.shelf

    def need_ledger(self) -> Ledger:
        """The market's money, read once."""
        if self.ledger is None:
            self.ledger = read_ledger(
                self.client, block=self.history.block.number, from_block=self.from_block
            )
        return self.ledger
