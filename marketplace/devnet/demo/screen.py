"""Shows a demo as it goes: a live picture on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from marketplace.devnet.demo.story import Story
from marketplace.node import console

_REFRESH_PER_S = 4


class Screen:
    """`show` says what is new; `tick` keeps a live picture's clocks running."""

    def __init__(self, story: Story, rounds: int, live: Live | None) -> None:
        self._story, self._rounds, self._live = story, rounds, live

    def show(self) -> None:
        """Says what is new, or redraws."""
        news, self._story.news = self._story.news, []
        if self._live is not None:
            self._live.update(_picture(self._story, self._rounds))
            return
        for line in news:
            console.note(line)


@contextmanager
def screen(story: Story, rounds: int) -> Iterator[Screen]:
    """A screen on standard error."""
    output = console.stderr()
    if not output.is_terminal:
        yield Screen(story, rounds, None)
        return
    with Live(console=output, refresh_per_second=_REFRESH_PER_S, transient=True) as live:
        yield Screen(story, rounds, live)


def _picture(story: Story, rounds: int) -> Group:
    now = time.monotonic()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "behaviour", "doing", "for", "merged", "struck"):
        table.add_column(column)
    for part in story.parts.values():
        table.add_row(
            part.name,
            Text(part.behaviour, style="" if part.behaviour == "honest" else "red"),
            part.doing,
            f"{now - part.since:.0f} s",
            str(part.merged) if part.name.startswith("trainer") else "",
            "yes" if part.slashed else "",
        )
    return Group(Text(_headline(story, rounds), style="bold"), Text(_accuracies(story)), table)


def _headline(story: Story, rounds: int) -> str:
    if story.ending:
        return f"the project is {story.ending}"
    if not story.rounds:
        return "everybody joins"
    current = max(story.rounds)
    return f"round {current} of {rounds}: {story.rounds[current].submitted} submitted"


def _accuracies(story: Story) -> str:
    known = [f"{r.round}: {r.accuracy:.3f}" for r in story.rounds.values() if r.accuracy is not None]
    return "accuracy by round  " + "  ".join(known) if known else ""
