"""A node's state as a live view on a terminal. What is logged meanwhile scrolls above it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from marketplace.chain.types import NATIVE_COIN
from marketplace.node import console
from marketplace.node.telemetry.deadlines import deadlines
from marketplace.node.telemetry.health import Patience, alive, ready
from marketplace.node.telemetry.probe import Found
from marketplace.node.telemetry.record import Loop, Snapshot

_A_SECOND = 2  # refreshes
_WEI = 10**18
_PATIENCE = Patience()


def is_shown() -> bool:
    """Whether there is a terminal to show it on, which this process does not share with those in its foreground.

    With --json stdout is for the document.
    """
    if console.is_json() or not sys.stdout.isatty():
        return False
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:  # somebody else's terminal
        return False


@contextmanager
def live(title: str, read: Callable[[], tuple[Snapshot, Found | None]]) -> Iterator[None]:
    """Shows what `read` gives until the end of the block. Start it before logging is configured."""
    with Live(
        get_renderable=lambda: render(title, *read(), now=time.time()),
        console=Console(markup=False, highlight=False),
        refresh_per_second=_A_SECOND,
        redirect_stderr=sys.stderr.isatty(),  # who sends it to a file wants it there
        transient=True,
    ):
        yield


def render(title: str, snapshot: Snapshot, found: Found | None, now: float) -> RenderableType:
    """One picture. `now`: Unix time in seconds."""
    parts: list[RenderableType] = [Text(f"{title}  {_chain(snapshot, found, now)}", style="bold")]
    for reason in (*alive(snapshot, _PATIENCE).reasons, *_not_ready(snapshot, found)):
        parts.append(Text(console.printable(reason), style="red"))
    parts.append(_projects(snapshot, found))
    parts.append(Text(_work(snapshot)))
    if found is not None:
        parts.append(Text(_money(found)))
    return Group(*parts)


def _chain(snapshot: Snapshot, found: Found | None, now: float) -> str:
    block = found.block if found is not None and found.block is not None else snapshot.block
    if block is None:
        return "no block seen yet"
    return f"block {block.number}, {max(0.0, now - block.timestamp):.0f} s old"


def _not_ready(snapshot: Snapshot, found: Found | None) -> tuple[str, ...]:
    return () if found is None else ready(found.probed, snapshot.at, _PATIENCE).reasons


def _projects(snapshot: Snapshot, found: Found | None) -> RenderableType:
    money = {part.project: part for part in found.standings} if found is not None else {}
    table = console.table("project", "status", "round", "ahead", "earned", "claimed", "at stake")
    for number, (project, block) in sorted(snapshot.projects.items()):
        newest = block if snapshot.block is None else snapshot.block
        ahead = deadlines(project, newest.timestamp)
        part = money.get(number)
        table.add_row(
            str(number),
            project.status.name.lower(),
            f"{project.round}/{project.last_round}",
            ", ".join(f"{name} {seconds} s" for name, seconds in ahead.items()),
            *(
                ("", "", "")
                if part is None
                else (
                    _amount(part.earned, part.token == NATIVE_COIN),
                    _amount(part.claimed, part.token == NATIVE_COIN),
                    _amount(part.staked, part.token == NATIVE_COIN),
                )
            ),
        )
    return table


def _work(snapshot: Snapshot) -> str:
    doing = ", ".join(_doing(loop, snapshot.at) for loop in snapshot.loops) or "starting"
    spent = ", ".join(
        f"{work} {effort.seconds:.1f} s ({effort.times})"
        for work, effort in snapshot.efforts.items()
        if effort.times
    )
    moved = f"fetched {_mb(snapshot.fetched_bytes)}, stored {_mb(snapshot.stored_bytes)}"
    return f"now: {doing}\nso far: {spent or 'nothing'}; {moved}"


def _doing(loop: Loop, at: float) -> str:
    if loop.error is not None:
        return f"{loop.name} ended: {console.printable(loop.error)}"
    if loop.busy is None:
        return f"{loop.name} waits for a block"
    return f"{loop.name} {loop.busy} for {at - loop.busy_since:.0f} s"


def _money(found: Found) -> str:
    spent, balance = found.spent, found.probed.balance
    held = "unknown" if balance is None else _amount(balance, True)
    peers = "unknown" if found.peers is None else str(found.peers)
    return (
        f"balance {held}, gas {_amount(spent.gas_wei, True)}; transactions {spent.sent} sent, {spent.failed} failed, "
        f"{spent.pending} pending; storage peers {peers}"
    )


def _amount(amount: int, native: bool) -> str:
    return f"{amount / _WEI:.6f} coins" if native else str(amount)


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
