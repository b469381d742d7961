from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.chain.transaction_log import Mined, SignedTransaction
from marketplace.errors import FairshareError, Reason
from marketplace.node import journal as journal_module
from marketplace.node.journal import NODE, Journal

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
keys = st.tuples(st.integers(NODE, 3), st.integers(NODE, 3), st.sampled_from(["commitment", "update", "x"]))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, values),
        st.tuples(st.just("blob"), keys, st.binary(max_size=40)),
        st.tuples(st.just("delete"), keys, st.none()),
        st.tuples(st.just("reopen"), keys, st.none()),
    ),
    max_size=20,
)


@settings(deadline=None)  # it writes to disk
@given(operations)
def test_a_journal_is_two_dictionaries_that_last(script: list[tuple[str, tuple[int, int, str], Any]]) -> None:
    records: dict[tuple[int, int, str], Any] = {}
    blobs: dict[tuple[int, int, str], bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal = Journal(path)
        for action, key, value in script:
            if action == "put":
                journal.put(*key, value)
                records[key] = value
            elif action == "blob":
                journal.put_blob(*key, value)
                blobs[key] = value
            elif action == "delete":
                journal.delete(*key)
                records.pop(key, None)
                blobs.pop(key, None)
            else:
                journal.close()
                journal = Journal(path)
        for key in records.keys() | blobs.keys():
            assert journal.get(*key, default="none") == records.get(key, "none")
            assert journal.get_blob(*key) == blobs.get(key)
            assert key[2] in journal.names(*key[:2])
        assert set(journal.projects()) == {key[0] for key in records} - {NODE}
        journal.close()


def signed(number: int, intent: str = "submit/1/1", nonce: int = 0) -> SignedTransaction:
    return SignedTransaction(
        intent=intent,
        chain_id=31337,
        sender="0xabc",
        nonce=nonce,
        hash=number.to_bytes(32, "big"),
        raw=b"raw" * number,
        signed_at_block=number,
    )


def test_transactions_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        for number in (3, 1, 2):
            journal.append_transaction(signed(number, nonce=number))
        journal.append_transaction(signed(9, nonce=2))
        journal.append_transaction(signed(4, intent="other", nonce=4))
    with Journal(path) as journal:
        found = journal.transactions(31337, "0xabc", "submit/1/1")
        assert [transaction.hash[-1] for transaction in found] == [3, 1, 2, 9]
        assert found[0] == signed(3, nonce=3)
        newest = journal.transactions_from_nonce(31337, "0xabc", 2)
        assert [(transaction.nonce, transaction.hash[-1]) for transaction in newest] == [
            (2, 9),
            (3, 3),
            (4, 4),
        ]
        assert not journal.transactions(1, "0xabc", "submit/1/1")
        with pytest.raises(sqlite3.IntegrityError):
            journal.append_transaction(signed(1))


def fail_half_way(journal: Journal) -> None:
    with journal.atomic():
        journal.put(1, 1, "a", 1)
        with journal.atomic():
            journal.put_blob(1, 1, "b", b"2")
        raise RuntimeError


def test_atomic_writes_appear_together(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        with pytest.raises(RuntimeError):
            fail_half_way(journal)
        assert journal.names(1, 1) == ()
        with journal.atomic():
            journal.put(1, 1, "a", 1)
            journal.append_transaction(signed(1))
        assert journal.get(1, 1, "a") == 1


WRITER = """
import sys
from pathlib import Path
from marketplace.node.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = journal.get(1, 1, "n", 0)
while True:
    n += 1
    with journal.atomic():
        journal.put(1, 1, "n", n)
        journal.put_blob(1, 1, "n", n.to_bytes(8, "big") * 500)
    print(n, flush=True)
"""


def test_killed_at_random_it_keeps_all_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    dice = random.Random(7)
    acknowledged = 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(dice.randrange(1, 60)):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        with Journal(path) as journal:
            kept = journal.get(1, 1, "n")
            assert kept in (acknowledged, acknowledged + 1)
            assert journal.get_blob(1, 1, "n") == kept.to_bytes(8, "big") * 500


def test_threads_share_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:

        def add() -> None:
            for _ in range(50):
                with journal.atomic():
                    journal.put(1, 0, "n", journal.get(1, 0, "n", 0) + 1)

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.get(1, 0, "n") == 200


def test_another_process_may_read_while_it_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.put(1, 2, "state", {"merged": True})
        program = "import sys, json; from pathlib import Path; from marketplace.node.journal import Journal;"
        program += "print(json.dumps(Journal(Path(sys.argv[1]), read_only=True).get(1, 2, 'state')))"
        output = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "j")], capture_output=True, text=True, check=True
        )
        assert json.loads(output.stdout) == {"merged": True}
        with Journal(tmp_path / "j", read_only=True) as reader, pytest.raises(sqlite3.OperationalError):
            reader.put(1, 2, "state", 1)


def test_files_that_are_no_journal(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to look at" * 30)
    with pytest.raises(FairshareError) as caught:
        Journal(tmp_path / "text")
    assert caught.value.reason is Reason.INTEGRITY
    with pytest.raises(FairshareError) as caught:
        Journal(tmp_path / "none", read_only=True)
    assert caught.value.reason is Reason.NOT_FOUND
    assert not (tmp_path / "none").exists()
    Journal(tmp_path / "new").close()
    database = sqlite3.connect(tmp_path / "new")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(FairshareError, match="schema is 99"):
        Journal(tmp_path / "new")


def test_nobody_else_reads_it_and_only_json_goes_in(tmp_path: Path) -> None:
    with Journal(tmp_path / "deep" / "j") as journal:
        assert stat.S_IMODE((tmp_path / "deep" / "j").stat().st_mode) == 0o600
        for value in (float("nan"), b"bytes", object()):
            with pytest.raises((TypeError, ValueError)):
                journal.put(1, 1, "x", value)
        assert journal.get(1, 1, "x") is None


def test_a_journal_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as database:
        for statement in journal_module._UPGRADES[0].split(";"):
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO transactions (chain_id, sender, intent, nonce, hash, raw, signed_at_block)"
            " VALUES (31337, '0xabc', 'submit:1:1', 0, x'01', x'02', 3)"
        )
    database.close()
    with Journal(path) as journal:
        assert [each.intent for each in journal.transactions(31337, "0xabc", "submit:1:1")] == ["submit:1:1"]
        assert not journal.unsettled(31337, "0xabc")
        journal.note_mined(b"\x01", Mined(True, 4, 5, 1), 1, final=False)
        assert journal.spent(31337, "0xabc", 1) == 5
    with Journal(path, read_only=True) as journal:
        assert [each.block for each in journal.unsettled(31337, "0xabc")] == [4]


def test_what_the_second_schema_noted_is_asked_of_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in (*journal_module._UPGRADES[0].split(";"), *journal_module._UPGRADES[1].split(";")):
            database.execute(statement)
        database.execute("PRAGMA user_version = 2")
        database.execute(
            "INSERT INTO transactions (chain_id, sender, intent, nonce, hash, raw, signed_at_block)"
            " VALUES (31337, '0xabc', 'submit:1:1', 0, x'01', x'02', 3)"
        )
        database.execute("INSERT INTO mined VALUES (x'01', 4, '50', 1, 1)")
    with Journal(path) as journal:
        assert journal.spent(31337, "0xabc", 1) == 50
        assert journal.settled(31337, "0xabc") == {}
        journal.note_mined(b"\x01", Mined(False, 4, 5, 10), 1, final=True)
        assert journal.settled(31337, "0xabc") == {b"\x01": Mined(False, 4, 5, 10)}
        assert journal.settled(31337, "0xdef") == journal.settled(1, "0xabc") == {}


def test_what_was_mined_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    dear = 10**25  # more than an integer of SQLite's
    with Journal(tmp_path / "journal.sqlite") as journal:
        for number in (1, 2, 3):
            journal.append_transaction(signed(number, nonce=3 - number))
        for number, project in ((1, 7), (2, 7), (3, None)):
            mined = Mined(True, number, 1, dear + number)
            journal.note_mined(number.to_bytes(32, "big"), mined, project, final=number == 1)
        found = journal.unsettled(31337, "0xabc")
        assert [(each.transaction.hash[-1], each.block, each.cost) for each in found] == [
            (3, 3, dear + 3),
            (2, 2, dear + 2),
        ]  # by nonce
        assert journal.spent(31337, "0xabc", 7) == 2 * dear + 3
        assert journal.spent(1, "0xabc", 7) == journal.spent(31337, "0xdef", 7) == 0
        elsewhere = Mined(True, 9, 2, 2)  # in another block, at another price
        journal.note_mined(b"\0" * 31 + b"\x02", elsewhere, 7, final=True)
        journal.forget_mined(b"\0" * 31 + b"\x03")
        assert not journal.unsettled(31337, "0xabc")
        assert journal.spent(31337, "0xabc", 7) == dear + 5


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.put(1, 1, "record", {"kept": "here" * 2000})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE records SET value = CAST('{\"kept\"' AS BLOB)")
    with Journal(path, read_only=True) as journal, pytest.raises(FairshareError) as caught:
        journal.get(1, 1, "record")
    assert caught.value.reason is Reason.INTEGRITY
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xff" * (len(damaged) - 4096)  # all but the first page
    path.write_bytes(damaged)
    for read in (lambda journal: journal.get(1, 1, "record"), lambda journal: journal.projects()):
        with pytest.raises(FairshareError) as caught, Journal(path, read_only=True) as journal:
            read(journal)
        assert caught.value.reason is Reason.INTEGRITY
