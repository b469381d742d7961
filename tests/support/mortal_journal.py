"""A journal whose node dies at everything that it writes down."""

from __future__ import annotations

from typing import ClassVar

from marketplace.chain.transaction_log import SignedTransaction
from marketplace.node.journal import Journal


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
