"""A journal whose node dies at everything that it writes down, and an aggregator that lives with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from marketplace.chain.transaction_log import SignedTransaction
from marketplace.node.journal import Journal
from tests.support.served_market import Served

_STEPS = 100


class Killed(BaseException):
    """The process is gone."""


class Mortal(Journal):
    """The node dies twice at each thing it writes: when it is about to be written, and when it has just been."""

    deaths: ClassVar[set[tuple[str, bool]]] = set()

    def _put(self, table: str, project: int, round: int, name: str, value: bytes) -> None:
        self._dies(name, False)
        super()._put(table, project, round, name, value)
        self._dies(name, True)

    def append_transaction(self, transaction: SignedTransaction) -> None:
        self._dies(transaction.intent, False)
        super().append_transaction(transaction)
        self._dies(transaction.intent, True)

    def _dies(self, name: str, written: bool) -> None:
        if (name, written) not in self.deaths:
            self.deaths.add((name, written))
            raise Killed


def killed_at_every_write(game: Served, done: Callable[[], object]) -> set[str]:
    """Aggregator 0, alone, is killed and started again until something is so; the kinds of writes that it died at."""
    game.stop(0)
    game.stop(1)
    Mortal.deaths.clear()
    game.journals = Mortal
    game.add(0)
    for _ in range(_STEPS):
        try:
            game.step()
        except Killed:
            game.add(0)
        if done():
            break
    return {name.split(":")[0] for name, _ in Mortal.deaths}
