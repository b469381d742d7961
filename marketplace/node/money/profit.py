"""The profit view: a row for each project, a sum for each token, and gas by itself: it is paid in the native coin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from marketplace.chain.client import MarketClient
from marketplace.chain.types import NATIVE_COIN, Address, Member
from marketplace.node import console
from marketplace.node.journal import Journal
from marketplace.node.money.account import Moved, Standing, memberships, moved, standing
from marketplace.node.money.spending import Spending, Spent

_AMOUNTS = ("earned", "claimed", "claimable", "staked", "lost", "won", "net")


@dataclass(frozen=True)
class Row:
    """A project. `spent`: None where there is no journal here to tell."""

    standing: Standing
    moved: Moved
    spent: Spent | None

    @property
    def net(self) -> int:
        """What it has brought in its token, gas aside: earned and won, less what was lost."""
        return self.standing.earned + self.moved.won - self.moved.lost


@dataclass(frozen=True)
class Profit:
    """An account in one role. `elsewhere`: gas that belongs to none of the rows, such as that of unbonding."""

    account: Address
    rows: tuple[Row, ...]
    elsewhere: Spent | None

    @property
    def gas_wei(self) -> int | None:
        """Of all transactions of this role's node; None where there is no journal here."""
        if self.elsewhere is None:
            return None
        return self.elsewhere.gas_wei + sum(row.spent.gas_wei for row in self.rows if row.spent)

    @property
    def tokens(self) -> tuple[Address, ...]:
        """Tokens of the rows, the native coin first."""
        found = {row.standing.token for row in self.rows}
        return tuple(sorted(found, key=lambda token: (token != NATIVE_COIN, token)))


def read_profit(client: MarketClient, account: Address, journal: Journal | None, *, trainer: bool) -> Profit:
    """The profit of a trainer, or of an aggregator, at the newest block. `journal`: of its node, None for gas unknown.

    Raises CHAIN_UNREACHABLE, INTEGRITY.
    """
    block = client.latest_block().number
    spent = None if journal is None else Spending(client, journal, account).update()
    parts = {
        number: member
        for number, member in memberships(client, account, block).items()
        if _is_of_role(member, trainer)
    }
    moves = moved(client, parts, account, block)
    rows = tuple(
        Row(
            standing(client, number, account, client.terms(number).token, block),
            moves[number],
            None if spent is None else spent.pop(number, Spent()),
        )
        for number in parts
    )
    return Profit(account, rows, None if spent is None else sum(spent.values(), Spent()))


def document(profit: Profit) -> dict[str, Any]:
    """The profit as JSON: amounts are decimal strings, in the token's smallest unit or, where so named, in wei."""
    gas = profit.gas_wei
    return {
        "address": profit.account,
        "projects": [_row(row) for row in profit.rows],
        "totals": [_total(profit, token) for token in profit.tokens],
        "gas_wei": None if gas is None else str(gas),
        "gas_wei_of_no_project": None if profit.elsewhere is None else str(profit.elsewhere.gas_wei),
    }


def table(document: Mapping[str, Any]) -> Table:
    """What `document` says, for people."""
    made = console.table("project", "status", "token", *_AMOUNTS, "gas wei")
    for row in document["projects"]:
        made.add_row(*(_cell(row[name]) for name in ("project", "status", "token", *_AMOUNTS, "gas_wei")))
    for total in document["totals"]:
        made.add_row("all", "", *(_cell(total[name]) for name in ("token", *_AMOUNTS)), "")
    made.caption, made.caption_justify = _gas_in_words(document), "left"
    return made


def _gas_in_words(document: Mapping[str, Any]) -> str:
    gas = document["gas_wei"]
    if gas is None:
        return "gas: there is no journal of this node here"
    left = [total["net_after_gas"] for total in document["totals"] if "net_after_gas" in total]
    after = f"; the native coin's net after gas: {left[0]} wei" if left else ""
    return f"gas in all: {gas} wei{after}"


def _is_of_role(member: Member, trainer: bool) -> bool:
    return (member.trainer_number if trainer else member.aggregator_index) is not None


def _row(row: Row) -> dict[str, Any]:
    found, spent = row.standing, row.spent
    return {
        "project": found.project,
        "status": found.status.name.lower(),
        "round": found.round,
        "token": _token(found.token),
        **_amounts([row]),
        "gas_wei": None if spent is None else str(spent.gas_wei),
        "transactions": None
        if spent is None
        else {"sent": spent.sent, "failed": spent.failed, "pending": spent.pending},
    }


def _total(profit: Profit, token: Address) -> dict[str, Any]:
    """Over all projects of a token. In the native coin also what is left after all gas, other tokens' included."""
    rows = [row for row in profit.rows if row.standing.token == token]
    total: dict[str, Any] = {"token": _token(token), **_amounts(rows)}
    gas = profit.gas_wei
    if token == NATIVE_COIN and gas is not None:
        total["net_after_gas"] = str(sum(row.net for row in rows) - gas)
    return total


def _amounts(rows: Iterable[Row]) -> dict[str, str]:
    rows = list(rows)
    return {
        "earned": str(sum(row.standing.earned for row in rows)),
        "claimed": str(sum(row.standing.claimed for row in rows)),
        "claimable": str(sum(row.standing.claimable for row in rows)),
        "staked": str(sum(row.standing.staked for row in rows)),
        "lost": str(sum(row.moved.lost for row in rows)),
        "won": str(sum(row.moved.won for row in rows)),
        "net": str(sum(row.net for row in rows)),
    }


def _token(token: Address) -> str:
    return "native" if token == NATIVE_COIN else str(token)


def _cell(value: object) -> str:
    return "unknown" if value is None else str(value)
