"""The whole market's money up to one block: its coins are held together, and stakes by account, over all projects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from marketplace.audit.report import MALFORMED
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Address, Terms
from marketplace.errors import FairshareError, Reason


@dataclass(frozen=True)
class Ledger:
    """Events of all projects that bring money in or out, and the vault's; `terms` by project."""

    events: tuple[e.Event, ...]
    vault: tuple[e.Event, ...]
    terms: dict[int, Terms]

    def owed(self, token: Address) -> int:
        """What came into the projects of this token and has not been paid out: all of it is owed to somebody."""
        total = 0
        for event in self.events:
            terms = self.terms.get(getattr(event, "project", 0))
            if terms is None or terms.token != token:
                continue
            match event:
                case e.ProjectCreated():
                    total += event.reward + terms.reveal_bond
                case e.TrainerStruck() | e.AggregatorTimedOut() | e.RoundUndone():
                    total += event.slashed
                case e.Claimed():
                    total -= event.amount
        return total

    def locked(self, token: Address) -> Counter[Address]:
        """What the vault's events leave locked for each account."""
        total: Counter[Address] = Counter()
        for event in self.vault:
            match event:
                case e.Locked() if event.token == token:
                    total[event.account] += event.amount
                case e.Unlocked() | e.Slashed() if event.token == token:
                    total[event.account] -= event.amount
                case e.Transferred() if event.token == token:
                    total[event.from_] -= event.amount
        return total

    def free(self, token: Address) -> Counter[Address]:
        """What the vault's events leave free for each account."""
        total: Counter[Address] = Counter()
        for event in self.vault:
            match event:
                case e.Deposited() | e.Unlocked() if event.token == token:
                    total[event.account] += event.amount
                case e.Locked() | e.UnbondingStarted() if event.token == token:
                    total[event.account] -= event.amount
                case e.Transferred() if event.token == token:
                    total[event.to] += event.amount
        return total

    def projects_in(self, transaction_hash: bytes) -> set[int]:
        """The projects that a transaction has events of."""
        return {
            event.project
            for event in self.events
            if event.transaction_hash == transaction_hash and hasattr(event, "project")
        }


def read_ledger(client: MarketClient, *, block: int, from_block: int | None = None) -> Ledger:
    """Reads the events of all projects up to `block`. Raises CHAIN_UNREACHABLE, INTEGRITY."""
    try:
        market = e.fetch(client, e.MARKET_EVENTS, from_block=from_block, to_block=block)
        vault = e.fetch(client, e.VAULT_EVENTS, from_block=from_block, to_block=block)
    except MALFORMED as error:
        raise FairshareError(
            Reason.INTEGRITY,
            f"the endpoint served events that cannot be read: {type(error).__name__}: {error}"[:300],
            "use another endpoint",
        ) from error
    created = [event.project for event in market if isinstance(event, e.ProjectCreated)]
    return Ledger(
        events=tuple(market),
        vault=tuple(vault),
        terms={project: client.terms(project, block=block) for project in created},
    )
