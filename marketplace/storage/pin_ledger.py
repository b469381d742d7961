"""Which blobs a storage repo keeps, for whom, and until when: one SQLite file for each repo.

Written before the repo is touched: a blob is in the ledger before it is pinned, and leaves it in the transaction that
unpins it. So a kill between the two loses nothing, and leaves no pin that nobody knows of.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from marketplace.errors import FairshareError, Reason
from marketplace.storage.full_disk import translated_full
from marketplace.storage.reasons import Purpose, Why

_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 30.0
_COMING, _HERE, _WANTED = range(3)  # states: being added, pinned, to be fetched
_SCHEMA = """
CREATE TABLE blobs (
    cid TEXT PRIMARY KEY,
    max_bytes INTEGER NOT NULL,
    state INTEGER NOT NULL,
    theirs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE reasons (
    cid TEXT NOT NULL REFERENCES blobs (cid),
    holder TEXT NOT NULL,
    project INTEGER NOT NULL,
    round INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    until INTEGER,
    PRIMARY KEY (cid, holder, project, round, purpose)
) WITHOUT ROWID;
CREATE INDEX reasons_by_project ON reasons (holder, project);
CREATE INDEX reasons_by_end ON reasons (until) WHERE until IS NOT NULL;
CREATE TABLE remote (
    cid TEXT PRIMARY KEY,
    request TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Kept:
    """A reason in the ledger. `until`: Unix time in seconds; None: until its project is over."""

    cid: str
    holder: str
    why: Why
    until: int | None


@dataclass(frozen=True)
class Wanted:
    """A blob that is to be kept and is not in the repo yet; at most so many bytes may be fetched for it."""

    cid: str
    max_bytes: int


class PinLedger:
    """The ledger at `path`, for `holder`: one of those that keep blobs in the repo, which share the file.

    Safe to share between threads and processes. Raises INTEGRITY for a file that is no ledger of this version.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self._path, self._holder = path, holder
        self._lock = threading.RLock()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._database = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise self._broken(str(error)) from error

    def close(self) -> None:
        """Closes the file; one that was never closed opens just as well."""
        with self._lock:
            self._closed = True
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def want(
        self,
        cid: str,
        max_bytes: int,
        why: Why,
        until: int | None = None,
        *,
        bring: bool,
        theirs: bool = False,
    ) -> None:
        """Write down that a blob is to be kept; call it before it is added or pinned.

        `bring`: it is to be fetched; else the caller adds it now. `theirs`: somebody who keeps no ledger here had
        pinned it, so that it is never unpinned.
        """
        with self._atomic():
            self._database.execute(
                "INSERT OR IGNORE INTO blobs (cid, max_bytes, state, theirs) VALUES (?, ?, ?, ?)",
                (cid, max_bytes, _WANTED if bring else _COMING, int(theirs)),
            )
            if bring:
                self._database.execute(
                    "UPDATE blobs SET state = ? WHERE cid = ? AND state = ?", (_WANTED, cid, _COMING)
                )
            self._database.execute(
                "INSERT OR IGNORE INTO reasons (cid, holder, project, round, purpose, until)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (cid, self._holder, why.project, why.round, str(why.purpose), until),
            )

    def arrived(self, cid: str) -> None:
        """The repo has pinned the blob."""
        with self._atomic():
            self._database.execute("UPDATE blobs SET state = ? WHERE cid = ?", (_HERE, cid))

    def missing(self, cids: Iterable[str]) -> None:
        """The repo does not have these pinned after all: they are wanted again."""
        with self._atomic():
            self._database.executemany(
                "UPDATE blobs SET state = ? WHERE cid = ?", ((_WANTED, cid) for cid in cids)
            )

    def knows(self, cid: str) -> bool:
        """Whether the ledger has the blob."""
        return bool(self._rows("SELECT 1 FROM blobs WHERE cid = ?", cid))

    def is_here(self, cid: str) -> bool:
        """Whether the blob is pinned, as far as the ledger knows."""
        return bool(self._rows("SELECT 1 FROM blobs WHERE cid = ? AND state = ?", cid, _HERE))

    def here(self) -> tuple[str, ...]:
        """All that the repo should have pinned."""
        return tuple(
            row[0] for row in self._rows("SELECT cid FROM blobs WHERE state = ? ORDER BY cid", _HERE)
        )

    def not_here(self) -> tuple[str, ...]:
        """All that is on its way into the repo, or wanted."""
        return tuple(
            row[0] for row in self._rows("SELECT cid FROM blobs WHERE state <> ? ORDER BY cid", _HERE)
        )

    def wanted(self) -> tuple[Wanted, ...]:
        """What is to be fetched and pinned."""
        rows = self._rows(
            "SELECT cid, max_bytes FROM blobs WHERE state = ? AND cid IN (SELECT cid FROM reasons) ORDER BY cid",
            _WANTED,
        )
        return tuple(Wanted(cid, max_bytes) for cid, max_bytes in rows)

    def kept(self) -> tuple[Kept, ...]:
        """Every reason, of all holders."""
        rows = self._rows(
            "SELECT cid, holder, project, round, purpose, until FROM reasons"
            " ORDER BY holder, project, round, cid"
        )
        return tuple(
            Kept(cid, holder, Why(project, round_, Purpose(purpose)), until)
            for cid, holder, project, round_, purpose, until in rows
        )

    def open_projects(self) -> tuple[int, ...]:
        """Projects that this holder keeps something of without an end."""
        rows = self._rows(
            "SELECT DISTINCT project FROM reasons WHERE holder = ? AND project >= 0 AND until IS NULL"
            " ORDER BY project",
            self._holder,
        )
        return tuple(row[0] for row in rows)

    def open_reasons(self, project: int) -> tuple[tuple[str, Why], ...]:
        """What this holder keeps of a project without an end."""
        rows = self._rows(
            "SELECT cid, round, purpose FROM reasons WHERE holder = ? AND project = ? AND until IS NULL",
            self._holder,
            project,
        )
        return tuple((cid, Why(project, round_, Purpose(purpose))) for cid, round_, purpose in rows)

    def end(self, cid: str, why: Why, until: int) -> None:
        """A reason of this holder ends at `until`, Unix time in seconds."""
        with self._atomic():
            self._database.execute(
                "UPDATE reasons SET until = ? WHERE cid = ? AND holder = ? AND project = ? AND round = ?"
                " AND purpose = ?",
                (until, cid, self._holder, why.project, why.round, str(why.purpose)),
            )

    def drop(self, now: int) -> int:
        """Forgets reasons, of all holders, that have ended by `now`; how many."""
        with self._atomic():
            return self._database.execute("DELETE FROM reasons WHERE until <= ?", (now,)).rowcount

    def release(self, unpin: Callable[[str], None]) -> int:
        """Unpins all that nobody has a reason for any more; how many blobs.

        Each in a transaction of its own, which a holder that wants it again has to wait for. Raises what `unpin`
        raises; what it did not get to is released the next time.
        """
        idle = self._rows("SELECT cid FROM blobs WHERE cid NOT IN (SELECT cid FROM reasons)")
        released = 0
        for (cid,) in idle:
            with self._atomic():
                found = self._database.execute(
                    "SELECT theirs FROM blobs WHERE cid = ? AND cid NOT IN (SELECT cid FROM reasons)", (cid,)
                ).fetchone()
                if found is None:
                    continue
                if not found[0]:
                    unpin(cid)
                self._database.execute("DELETE FROM blobs WHERE cid = ?", (cid,))
                released += 1
        return released

    # Remote pinning

    def unsent(self) -> tuple[str, ...]:
        """What this holder keeps and the pinning service was not asked to."""
        rows = self._rows(
            "SELECT DISTINCT cid FROM reasons WHERE holder = ? AND purpose NOT IN (?, ?)"
            " AND cid NOT IN (SELECT cid FROM remote) AND cid IN (SELECT cid FROM blobs WHERE state = ?)"
            " ORDER BY cid",
            self._holder,
            str(Purpose.DRAFT),
            str(Purpose.PREVIEW),
            _HERE,
        )
        return tuple(row[0] for row in rows)

    def sent(self, cid: str, request: str) -> None:
        """The pinning service keeps, or is to keep, the blob: its name for that."""
        with self._atomic():
            self._database.execute(
                "INSERT OR REPLACE INTO remote (cid, request) VALUES (?, ?)", (cid, request)
            )

    def requests(self) -> tuple[tuple[str, str], ...]:
        """Blobs at the pinning service and its names for them."""
        return tuple((cid, request) for cid, request in self._rows("SELECT cid, request FROM remote"))

    def stale_requests(self) -> tuple[tuple[str, str], ...]:
        """As `requests`, of blobs that nobody has a reason for any more."""
        rows = self._rows("SELECT cid, request FROM remote WHERE cid NOT IN (SELECT cid FROM reasons)")
        return tuple((cid, request) for cid, request in rows)

    def forget_request(self, cid: str) -> None:
        """The pinning service keeps the blob no longer."""
        with self._atomic():
            self._database.execute("DELETE FROM remote WHERE cid = ?", (cid,))

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, translated_full(self._path):
            self._require_open()
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        with self._lock, translated_full(self._path):
            self._require_open()
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _require_open(self) -> None:
        """A thread may be at work still when its node ends."""
        if self._closed:
            raise FairshareError(Reason.UNAVAILABLE, f"the ledger of pins at {self._path} is closed")

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        os.chmod(self._path, 0o600)
        with self._atomic():  # another holder may be creating the same file
            if self._version() == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        if self._version() != _SCHEMA_VERSION:
            raise self._broken(f"its schema is {self._version()}, this program knows {_SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def _broken(self, why: str) -> FairshareError:
        return FairshareError(
            Reason.INTEGRITY,
            f"the ledger of pins at {self._path} cannot be read: {why}",
            "move it aside: what is pinned stays pinned, and is then kept for ever",
        )
