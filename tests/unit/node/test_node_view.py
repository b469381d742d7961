"""The live view: what it shows, and that it is there on a terminal only."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from marketplace.chain.client import MarketClient
from marketplace.chain.types import NATIVE_COIN, Block, Project, Status
from marketplace.devnet.anvil import public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.money.account import Standing
from marketplace.node.money.spending import Spent
from marketplace.node.session import Session
from marketplace.node.telemetry.deadlines import deadlines
from marketplace.node.telemetry.health import Probed
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Work
from marketplace.node.telemetry.observing import observing
from marketplace.node.telemetry.probe import Found
from marketplace.node.telemetry.record import Record
from marketplace.node.telemetry.view import is_shown, render
from tests.support.structs import blank

BLOCK = Block(number=123, timestamp=1000, hash=bytes(32))


def text(record: Record, found: Found | None) -> str:
    written = io.StringIO()
    shown = Console(file=written, width=160, markup=False)
    shown.print(render("trainer 0xabc", record.snapshot(), found, now=1004.0))
    return written.getvalue()


def project(status: Status, **fields: int) -> Project:
    made: Project = blank(Project, status=status, **fields)
    return made


def active(**fields: int) -> Project:
    return project(Status.ACTIVE, round=2, last_round=5, **fields)


def test_it_shows_chain_project_work_and_money() -> None:
    record = Record()
    state = active(submit_deadline=1042, result_deadline=1100, answer_deadline=900)
    standing = Standing(7, Status.ACTIVE, 2, NATIVE_COIN, 3 * 10**18, 10**18, 5 * 10**17)
    probed = Probed(record.snapshot().at, balance=2 * 10**18, needed=1)
    found = Found(probed, BLOCK, Spent(sent=4, failed=1, gas_wei=10**15), (standing,), peers=3)
    with record.loop("project 7"), record.at_work(Work.TRAINING):
        record.saw(7, state, BLOCK)
        record.fetched(2_500_000)
        shown = text(record, found)
    for words in (
        "block 123, 4 s old",
        "active",
        "2/5",
        "submit 42 s, result 100 s",
        "3.000000 coins",
        "project 7 training for 0 s",
        "fetched 2.5 MB",
        "balance 2.000000 coins, gas 0.001000 coins; transactions 4 sent, 1 failed, 0 pending; storage peers 3",
    ):
        assert words in shown, shown


def test_it_says_what_is_wrong_before_anything_else() -> None:
    record = Record()
    probed = Probed(record.snapshot().at, chain_problem="the chain is away\x1b[2J")
    shown = text(record, Found(probed))
    assert "chain: the chain is away?[2J" in shown.splitlines()[1]
    assert "no block seen yet" in text(record, None)


def test_only_deadlines_that_are_ahead_are_told() -> None:
    state = active(submit_deadline=50, result_deadline=70, answer_deadline=0, challenge_deadline=60)
    assert deadlines(state, 55) == {"result": 15, "challenge": 5}
    assert deadlines(project(Status.OPEN, join_deadline=56), 55) == {"join": 1}
    assert deadlines(project(Status.CLOSING, challenge_deadline=60), 55) == {"challenge": 5}
    assert deadlines(project(Status.SETTLED, submit_deadline=99), 55) == {}


def test_without_a_terminal_and_without_metrics_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not is_shown()
    assert observing("trainer", None, None).telemetry is NO_TELEMETRY
    assert observing("trainer", "9464", None, watched=False).telemetry is NO_TELEMETRY
    asked = observing("trainer", "9464", None)
    assert isinstance(asked.telemetry, Record)
    assert asked.place == ("127.0.0.1", 9464)
    with pytest.raises(FairshareError) as refused:
        observing("trainer", "everywhere", None)
    assert refused.value.reason is Reason.BAD_INPUT


def test_metrics_without_their_package_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(
        sys.modules, "marketplace.node.telemetry.exporter", None
    )  # as where it cannot be imported
    client: Any = MarketClient("http://127.0.0.1:1", NATIVE_COIN)
    unused: Any = None
    with Journal(tmp_path / "journal.sqlite") as journal:
        account: Any = public_account(0)
        session = Session(client, unused, account, journal, unused, tmp_path, tmp_path, threading.Event())
        with pytest.raises(FairshareError) as missing, observing("trainer", "9464", None).of(session):
            pass
    assert missing.value.reason is Reason.TOOL_MISSING
    assert "fairshare[metrics]" in missing.value.hint


PROGRAM = """
import fcntl, os, sys, termios, time
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from marketplace.node import console
from marketplace.node import logging
from marketplace.node.telemetry import view
from marketplace.node.telemetry.record import Record
record = Record()
assert view.is_shown()
console.configure(json=True)
assert not view.is_shown()
console.configure()
if os.fork() == 0:  # as a job that a shell has put into the background
    os.setpgid(0, 0)
    os._exit(view.is_shown())
assert os.wait()[1] == 0
with record.loop("project 7"), view.live("trainer 0xabc", lambda: (record.snapshot(), None)):
    logging.configure(role="trainer")
    logging.logger(project=7).info("joined", number=3)
    time.sleep(1.2)  # two refreshes
"""


def test_on_a_terminal_the_log_scrolls_above_it() -> None:
    ours, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=terminal,
        stderr=terminal,
        stdin=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's end of file, once nobody has the terminal open
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(60) == 0, shown.decode()
    said = shown.decode()
    assert '"event": "joined"' in said
    assert "project 7 waits for a block" in said
    assert said.index("no block seen yet") < said.rindex("now: project 7")
