"""What the chain says of an account's money in a project: earned, claimed, at stake, lost and won."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplace.chain.client import MarketClient
from marketplace.chain.events import MARKET_EVENTS, Event, Slashed, Transferred, fetch
from marketplace.chain.types import Address, ChallengeKind, Member, Status


@dataclass(frozen=True)
class Standing:
    """An account's part in a project at a block, in the token's smallest unit.

    `earned`: in all, as far as no round was undone; `staked`: locked, an open challenge's deposit included.
    """

    project: int
    status: Status
    round: int
    token: Address
    earned: int
    claimed: int
    staked: int

    @property
    def claimable(self) -> int:
        """Earned and not claimed; the market pays it out once nothing can be challenged."""
        return self.earned - self.claimed


@dataclass(frozen=True)
class Moved:
    """What strikes, timeouts, undone rounds and lost disputes took from an account, and what disputes won it."""

    lost: int = 0
    won: int = 0


def memberships(client: MarketClient, account: Address, block: int) -> dict[int, Member]:
    """The account's part in every project that it is a member of, by project. Raises CHAIN_UNREACHABLE."""
    numbers = range(1, client.project_count(block=block) + 1)
    views = [client.market_view("membershipOf", number, account) for number in numbers]
    found = client.call_many("read memberships", views, block=block)
    members = {number: Member.from_abi(values) for number, values in zip(numbers, found, strict=True)}
    return {number: member for number, member in members.items() if member.number or member.index}


def standing(client: MarketClient, project: int, account: Address, token: Address, block: int) -> Standing:
    """Reads it at a block; `token`: of the project's terms, which do not change."""
    state = client.project(project, block=block)
    member = client.membership(project, account, block=block)
    staked = member.locked
    if state.challenged:
        challenge = client.challenge(project, block=block)
        if challenge.kind is not ChallengeKind.NONE and challenge.challenger == account:
            staked += client.terms(project).complaint_deposit  # in the vault, and in no member's part
    owed = client.claimable(project, account, block=block)
    return Standing(project, state.status, state.round, token, owed + member.claimed, member.claimed, staked)


def moved(client: MarketClient, projects: Iterable[int], account: Address, block: int) -> dict[int, Moved]:
    """By project, from all events up to a block. Raises CHAIN_UNREACHABLE, INTEGRITY.

    The vault's events name no project: each is of the one whose event is in the same transaction.
    """
    stakes: Sequence[Event] = fetch(client, [Slashed, Transferred], to_block=block)
    by_project = {project: fetch(client, MARKET_EVENTS, project, to_block=block) for project in projects}
    return {project: _moved(stakes, events, account) for project, events in by_project.items()}


def _moved(stakes: Iterable[Event], events: Iterable[Event], account: Address) -> Moved:
    transactions = {event.transaction_hash for event in events}
    lost = won = 0
    for event in stakes:
        if event.transaction_hash not in transactions:
            continue
        if isinstance(event, Slashed) and event.account == account:
            lost += event.amount
        elif isinstance(event, Transferred):
            lost += event.amount if event.from_ == account else 0
            won += event.amount if event.to == account else 0
    return Moved(lost, won)
