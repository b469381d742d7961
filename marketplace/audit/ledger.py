"""The whole market's money up to one block: credits and stakes are kept by account, over all projects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from marketplace.audit.report import MALFORMED
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason

_MARKET_EVENTS = tuple(kind for kind in e.MARKET_EVENTS if kind not in (e.KeyResealed, e.UpdateSubmitted))


@dataclass(frozen=True)
class Ledger:
    """Events of all projects that move money, and the vault's; `tokens` and `owners` by project."""

    events: tuple[e.Event, ...]
    vault: tuple[e.Event, ...]
    tokens: dict[int, Address]
    owners: dict[int, Address]

    def credits(self, token: Address) -> Counter[Address]:
        """What each account was credited and has not claimed, in the token's unit."""
        owed: Counter[Address] = Counter()
        for event in self.events:
            match event:
                case e.Claimed():
                    if event.token == token:
                        owed[event.account] -= event.amount
                case e.TrainerPaid() if self.tokens.get(event.project) == token:
                    owed[event.trainer] += event.amount
                case e.ResultPosted() if self.tokens.get(event.project) == token:
                    owed[event.aggregator] += event.fee
                case e.ProjectEnded() if self.tokens.get(event.project) == token:
                    owed[self.owners[event.project]] += event.refund
        return owed

    def held(self, token: Address) -> int:
        """What the projects of this token have not given out yet: escrows and pots together."""
        total = 0
        for event in self.events:
            if self.tokens.get(getattr(event, "project", 0)) != token:
                continue
            match event:
                case e.ProjectCreated():
                    total += event.reward
                case e.TrainerStruck() | e.AggregatorTimedOut():
                    total += event.slashed
                case e.TrainerPaid():
                    total -= event.amount
                case e.ResultPosted():
                    total -= event.fee
                case e.ProjectEnded():
                    total -= event.refund
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
        return total

    def projects_in(self, transaction_hash: bytes) -> set[int]:
        """The projects that a transaction has events of."""
        return {
            event.project
            for event in self.events
            if event.transaction_hash == transaction_hash and hasattr(event, "project")
        }


def read_ledger(client: MarketClient, *, block: int, from_block: int = 0) -> Ledger:
    """Reads the events of all projects up to `block`. Raises CHAIN_UNREACHABLE, INTEGRITY."""
    try:
        market = e.fetch(client, _MARKET_EVENTS, from_block=from_block, to_block=block)
        vault = e.fetch(client, e.VAULT_EVENTS, from_block=from_block, to_block=block)
    except MALFORMED as error:
        raise FairshareError(
            Reason.INTEGRITY,
            f"the endpoint served events that cannot be read: {type(error).__name__}: {error}"[:300],
            "use another endpoint",
        ) from error
    created = [event for event in market if isinstance(event, e.ProjectCreated)]
    return Ledger(
        events=tuple(market),
        vault=tuple(vault),
        tokens={event.project: event.token for event in created},
        owners={event.project: event.owner for event in created},
    )
