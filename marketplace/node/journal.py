"""A node's journal: one SQLite file that survives a kill, or a power cut, at any point."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from marketplace.chain.transaction_log import Mined, MinedTransaction, SignedTransaction
from marketplace.errors import FairshareError, Reason
from marketplace.storage.full_disk import translated_full

SCHEMA_VERSION = 3
NODE = -1  # project and round of what belongs to the node as a whole
_BUSY_TIMEOUT_S = 30.0

_SCHEMA = """
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chain_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    intent TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    raw BLOB NOT NULL,
    signed_at_block INTEGER NOT NULL
);
CREATE INDEX transactions_by_intent ON transactions (chain_id, sender, intent, id);
CREATE TABLE records (
    project INTEGER NOT NULL,
    round INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (project, round, name)
) WITHOUT ROWID;
CREATE TABLE blobs (
    project INTEGER NOT NULL,
    round INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (project, round, name)
);
"""
_MINED = """
CREATE TABLE mined (
    hash BLOB PRIMARY KEY REFERENCES transactions (hash),
    block INTEGER NOT NULL,
    cost TEXT NOT NULL,
    project INTEGER,
    final INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX mined_unsettled ON mined (hash) WHERE final = 0;
CREATE INDEX mined_by_project ON mined (project);
"""
# Null of what was noted before: there the chain is asked.
_RECEIPTS = """
ALTER TABLE mined ADD COLUMN gas_used INTEGER;
ALTER TABLE mined ADD COLUMN succeeded INTEGER;
"""
_UPGRADES = (_SCHEMA, _MINED, _RECEIPTS)  # to schema 1, 2, ..


@dataclass(frozen=True)
class Sent:
    """A signed transaction without its bytes. `place`: its number in the journal, ascending."""

    place: int
    intent: str
    nonce: int
    hash: bytes  # 32


class Journal:
    """Records of a node by (project, round, name), and its signed transactions (a `TransactionLog`).

    Every write is on disk when its call returns; writes inside `atomic()` appear together or not at all.
    Threads may share a journal. A second process may read it; `read_only` opens it for that and creates
    nothing.

    Writes raise STORAGE_FULL where the disk is, and have then changed nothing.

    Raises NOT_FOUND for a missing file (read_only), INTEGRITY when the file is no journal or of a newer
    schema, and from every read when what is read is damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        if read_only and not path.is_file():
            raise FairshareError(Reason.NOT_FOUND, f"there is no journal at {path}", "start the node first")
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = "ro" if read_only else "rwc"
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._prepare(read_only)
        except sqlite3.DatabaseError as error:
            raise self._broken(str(error)) from error

    def close(self) -> None:
        """Closes the file; a journal that was never closed opens just as well."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Records

    def put(self, project: int, round: int, name: str, value: Any) -> None:
        """Keeps `value` (anything JSON can say) under the key, in place of what was there."""
        text = json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
        self._put("records", project, round, name, text.encode())

    def get(self, project: int, round: int, name: str, default: Any = None) -> Any:
        """The value under the key, or `default`."""
        found = self._get("records", project, round, name)
        try:
            return default if found is None else json.loads(found)
        except (ValueError, RecursionError) as error:
            raise self._broken(f"its record {name} is no JSON") from error

    def put_blob(self, project: int, round: int, name: str, value: bytes) -> None:
        """Keeps bytes under the key, in place of what was there. Blobs and values have separate keys."""
        self._put("blobs", project, round, name, value)

    def get_blob(self, project: int, round: int, name: str) -> bytes | None:
        """The bytes under the key, or None."""
        return self._get("blobs", project, round, name)

    def delete(self, project: int, round: int, name: str) -> None:
        """Forgets value and blob under the key; nothing happens when there are none."""
        with self.atomic():
            for table in ("records", "blobs"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE project = ? AND round = ? AND name = ?",
                    (project, round, name),
                )

    def names(self, project: int, round: int) -> tuple[str, ...]:
        """Names that hold a value or a blob, sorted."""
        rows = self._rows(
            "SELECT name FROM records WHERE project = :p AND round = :r"
            " UNION SELECT name FROM blobs WHERE project = :p AND round = :r ORDER BY name",
            {"p": project, "r": round},
        )
        return tuple(row[0] for row in rows)

    def projects(self) -> tuple[int, ...]:
        """Projects the journal holds values of, ascending."""
        rows = self._rows("SELECT DISTINCT project FROM records WHERE project <> ? ORDER BY project", (NODE,))
        return tuple(row[0] for row in rows)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Writes within appear together, or, when the block raises or the process dies, not at all."""
        with self._lock, translated_full(self.path):
            if self._depth == 0:
                self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._database.in_transaction:  # a full disk may have undone it
                    self._database.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._commit()

    def _commit(self) -> None:
        try:
            self._database.execute("COMMIT")
        except sqlite3.OperationalError:
            if self._database.in_transaction:  # what could not be written must not be part of the next one
                self._database.execute("ROLLBACK")
            raise

    # TransactionLog

    def append_transaction(self, transaction: SignedTransaction) -> None:
        """See `TransactionLog`."""
        with self.atomic():
            self._database.execute(
                "INSERT INTO transactions (chain_id, sender, intent, nonce, hash, raw, signed_at_block)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    transaction.chain_id,
                    transaction.sender,
                    transaction.intent,
                    transaction.nonce,
                    transaction.hash,
                    transaction.raw,
                    transaction.signed_at_block,
                ),
            )

    def transactions(self, chain_id: int, sender: str, intent: str) -> Sequence[SignedTransaction]:
        """See `TransactionLog`."""
        return self._transactions(
            "chain_id = ? AND sender = ? AND intent = ? ORDER BY id", (chain_id, sender, intent)
        )

    def transactions_from_nonce(self, chain_id: int, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """See `TransactionLog`."""
        return self._transactions(
            "id IN (SELECT max(id) FROM transactions WHERE chain_id = ? AND sender = ? AND nonce >= ?"
            " GROUP BY nonce) ORDER BY nonce",
            (chain_id, sender, nonce),
        )

    def sent(self, chain_id: int, sender: str, *, after: int = 0) -> tuple[Sent, ...]:
        """Every transaction that an account signed on a chain, of all intents, at places beyond `after`."""
        rows = self._rows(
            "SELECT id, intent, nonce, hash FROM transactions"
            " WHERE chain_id = ? AND sender = ? AND id > ? ORDER BY id",
            (chain_id, sender, after),
        )
        return tuple(
            Sent(place, intent, nonce, self._bytes(hash_, "hash")) for place, intent, nonce, hash_ in rows
        )

    def note_mined(self, hash: bytes, mined: Mined, project: int | None, *, final: bool) -> None:
        """See `TransactionLog`."""
        cost = str(mined.cost)  # wei do not fit into SQLite's integers
        with self.atomic():
            self._database.execute(
                "INSERT OR REPLACE INTO mined (hash, block, cost, project, final, gas_used, succeeded)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (hash, mined.block_number, cost, project, int(final), mined.gas_used, int(mined.succeeded)),
            )

    def settled(self, chain_id: int, sender: str) -> dict[bytes, Mined]:
        """What became of an account's transactions, by hash, where that is final and was noted whole."""
        rows = self._rows(
            "SELECT mined.hash, block, cost, gas_used, succeeded"
            " FROM mined JOIN transactions ON transactions.hash = mined.hash"
            " WHERE final = 1 AND gas_used > 0 AND succeeded IS NOT NULL AND chain_id = ? AND sender = ?",
            (chain_id, sender),
        )
        found = {}
        for hash_, block, cost, gas_used, succeeded in rows:
            if not all(isinstance(number, int) for number in (block, gas_used, succeeded)):
                raise self._broken("its note of a transaction is no number")
            price = self._cost(cost) // gas_used
            found[self._bytes(hash_, "hash")] = Mined(succeeded == 1, block, gas_used, price)
        return found

    def forget_mined(self, hash: bytes) -> None:
        """See `TransactionLog`."""
        with self.atomic():
            self._database.execute("DELETE FROM mined WHERE hash = ?", (hash,))

    def unnoted(self, chain_id: int, sender: str, below: int) -> Sequence[SignedTransaction]:
        """See `TransactionLog`."""
        noted = "SELECT hash FROM mined"
        return self._transactions(
            "chain_id = :c AND sender = :s AND nonce < :n AND nonce NOT IN (SELECT nonce FROM transactions"
            f" WHERE chain_id = :c AND sender = :s AND hash IN ({noted})) ORDER BY id DESC LIMIT 64",
            {"c": chain_id, "s": sender, "n": below},
        )

    def unsettled(self, chain_id: int, sender: str) -> Sequence[MinedTransaction]:
        """See `TransactionLog`."""
        rows = self._rows(
            "SELECT intent, chain_id, sender, nonce, transactions.hash, raw, signed_at_block, block, cost"
            " FROM mined JOIN transactions ON transactions.hash = mined.hash"
            " WHERE final = 0 AND chain_id = ? AND sender = ? ORDER BY nonce, id",
            (chain_id, sender),
        )
        return [MinedTransaction(SignedTransaction(*row[:7]), row[7], self._cost(row[8])) for row in rows]

    def spent(self, chain_id: int, sender: str, project: int) -> int:
        """See `TransactionLog`."""
        rows = self._rows(
            "SELECT cost FROM mined JOIN transactions ON transactions.hash = mined.hash"
            " WHERE project = ? AND chain_id = ? AND sender = ?",
            (project, chain_id, sender),
        )
        return sum(self._cost(row[0]) for row in rows)

    def _transactions(
        self, where: str, values: tuple[int | str, ...] | dict[str, int | str]
    ) -> list[SignedTransaction]:
        rows = self._rows(
            "SELECT intent, chain_id, sender, nonce, hash, raw, signed_at_block FROM transactions WHERE "
            + where,
            values,
        )
        return [SignedTransaction(*row) for row in rows]

    def _put(self, table: str, project: int, round: int, name: str, value: bytes) -> None:
        with self.atomic():
            self._database.execute(
                f"INSERT OR REPLACE INTO {table} (project, round, name, value) VALUES (?, ?, ?, ?)",
                (project, round, name, value),
            )

    def _get(self, table: str, project: int, round: int, name: str) -> bytes | None:
        rows = self._rows(
            f"SELECT value FROM {table} WHERE project = ? AND round = ? AND name = ?", (project, round, name)
        )
        if not rows:
            return None
        return self._bytes(rows[0][0], f"record {name}")

    def _bytes(self, value: object, what: str) -> bytes:
        if not isinstance(value, bytes):
            raise self._broken(f"its {what} is no bytes")
        return value

    def _cost(self, text: str) -> int:
        try:
            return int(text)
        except (TypeError, ValueError) as error:
            raise self._broken("the cost of a transaction is no number") from error

    def _rows(self, query: str, values: tuple[int | str, ...] | dict[str, int | str]) -> list[Any]:
        """What a query finds. Raises INTEGRITY where the file is damaged."""
        try:
            with self._lock:
                return self._database.execute(query, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of text, or of sqlite's own message
            raise self._broken(str(error)) from error

    def _prepare(self, read_only: bool) -> None:
        if not read_only:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA secure_delete = ON")  # what is forgotten is to be gone
            os.chmod(self.path, 0o600)
            with self.atomic():  # a second process may be creating the same file
                for version in range(self._version(), SCHEMA_VERSION):
                    for statement in filter(str.strip, _UPGRADES[version].split(";")):
                        self._database.execute(statement)
                    self._database.execute(f"PRAGMA user_version = {version + 1}")
        if self._version() != SCHEMA_VERSION:
            raise self._broken(f"its schema is {self._version()}, this program knows {SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def _broken(self, why: str) -> FairshareError:
        return FairshareError(
            Reason.INTEGRITY,
            f"the journal at {self.path} cannot be read: {why}",
            "move it aside, or use the program that wrote it",
        )
