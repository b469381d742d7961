"""Looks at a node's chain, storage and money every few seconds, beside the daemon and with a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import NATIVE_COIN, Address, Block
from marketplace.errors import FairshareError
from marketplace.node.costs import next_cost
from marketplace.node.journal import Journal
from marketplace.node.logging import Logger
from marketplace.node.money.account import Standing, standing
from marketplace.node.money.spending import Spending, Spent
from marketplace.node.telemetry.health import Probed
from marketplace.storage.store import ContentStore

EVERY_S = 10.0
_CHAIN_S = 3.0  # for which a silent endpoint is asked again
_STOP_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """What the last looks found; what failed since keeps its last value. Amounts in the token's smallest unit."""

    probed: Probed
    block: Block | None = None
    spent: Spent = field(default_factory=Spent)
    standings: tuple[Standing, ...] = ()
    peers: int | None = None


class Probe:
    """One node's. `projects`: whose money is looked at, asked each time."""

    def __init__(
        self,
        client: MarketClient,
        store: ContentStore,
        journal: Journal,
        account: Address,
        role: str,
        projects: Callable[[], Sequence[int]],
        log: Logger,
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._client = MarketClient(
            client.rpc_urls, client.address, retry_for_s=_CHAIN_S, from_block=client.from_block
        )
        self._store = store
        self._account = account
        self._role = role
        self._projects = projects
        self._log = log
        self._every_s = every_s
        self._spending = Spending(self._client, journal, account)
        self._tokens: dict[int, Address] = {}
        self._found: Found | None = None
        self._failing: set[str] = set()

    @property
    def found(self) -> Found | None:
        """What it found; None before the first look."""
        return self._found

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Looks again and again, in a thread, until the end of the block."""
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                try:
                    self.look()
                except sqlite3.ProgrammingError:
                    if not stop.is_set():
                        raise
                    return  # a slow endpoint was waited for while the node closed its journal
                stop.wait(self._every_s)

        thread = threading.Thread(target=look, name="probe", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_STOP_S)

    def look(self) -> Found:
        """One look; a failure is what is found, and is told once."""
        before = self._found or Found(Probed(time.monotonic()))
        chain, chain_problem = self._tried("chain", lambda: self._chain(before))
        peers, storage_problem = self._tried("storage", lambda: len(self._store.peers()))
        seen = chain or before
        probed = Probed(
            time.monotonic(), chain_problem, storage_problem, seen.probed.balance, seen.probed.needed
        )
        self._found = Found(probed, seen.block, seen.spent, seen.standings, peers)
        return self._found

    def _chain(self, before: Found) -> Found:
        block = self._client.latest_block()
        with translated_errors("read the gas price"):
            price = int(self._client.web3.eth.gas_price)
        balance = tokens.balance(self._client.web3, NATIVE_COIN, self._account)
        spent = sum(self._spending.update().values(), Spent())
        standings = tuple(
            standing(self._client, number, self._account, self._token(number), block.number)
            for number in self._projects()
        )
        probed = Probed(before.probed.at, balance=balance, needed=next_cost(self._role, price))
        return Found(probed, block, spent, standings)

    def _token(self, project: int) -> Address:
        if project not in self._tokens:
            self._tokens[project] = self._client.terms(project).token
        return self._tokens[project]

    def _tried(self, what: str, ask: Callable[[], T]) -> tuple[T | None, str | None]:
        """What came of it, or the problem, which is logged when it begins and when it is over."""
        try:
            answer = ask()
        except FairshareError as error:
            if what not in self._failing:
                self._log.warning("does not answer", what=what, problem=error.message, hint=error.hint)
            self._failing.add(what)
            return None, f"{error.message}: {error.hint}" if error.hint else error.message
        if what in self._failing:
            self._log.info("answers again", what=what)
        self._failing.discard(what)
        return answer, None
