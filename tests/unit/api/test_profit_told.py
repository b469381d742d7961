"""The profit view of the API's two projects, in one of which much happened: every figure is the chain's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.events import AggregatorTimedOut, Claimed, Event, UpdateWithheld, fetch
from marketplace.chain.receipts import mined
from marketplace.chain.transaction_log import Mined
from marketplace.chain.types import NATIVE_COIN, Address, Status, address
from marketplace.devnet.anvil import public_account
from marketplace.node import console
from marketplace.node.journal import Journal
from marketplace.node.money import spending
from marketplace.node.money.account import Moved, Standing
from marketplace.node.money.profit import Profit, Row, document, read_profit, table
from marketplace.node.money.spending import Spent
from tests.support.stepped_market import AGGREGATORS, FIRST_TRAINER, SLOTS
from tests.support.told_market import SILENT, Told

COIN = Address("0x" + "c0" * 20)


def profit_of(told: Told, account: int) -> Profit:
    holder = address(public_account(account).address)
    journal_file = told.ground.folder / f"account-{account}" / "journal.sqlite"
    with Journal(journal_file, read_only=True) as journal:
        return read_profit(told.client, holder, journal, trainer=account >= FIRST_TRAINER)


def row_of(profit: Profit, project: int) -> Row:
    (row,) = (row for row in profit.rows if row.standing.project == project)
    return row


def worth(client: MarketClient, holder: Address) -> int:
    """Coins of an account, in its hands and in the vault, in wei."""
    vault = client.vault
    held = tokens.balance(client.web3, NATIVE_COIN, holder)
    unbonding = vault.unbonding(NATIVE_COIN, holder).amount
    return held + vault.free(NATIVE_COIN, holder) + vault.locked(NATIVE_COIN, holder) + unbonding


def total(told: Told, kind: type[Event], of: str, holder: Address, amount: str) -> int:
    found: list[Any] = fetch(told.client, [kind], told.settled)
    return sum(getattr(event, amount) for event in found if getattr(event, of) == holder)


@pytest.fixture(scope="module")
def paid(told: Told) -> tuple[Counter[str], Counter[str]]:
    """By sender, over all blocks of the chain: transactions, and wei paid for their gas."""
    eth, count, cost = told.client.web3.eth, Counter[str](), Counter[str]()
    for number in range(told.client.latest_block().number + 1):
        for transaction in eth.get_block(number)["transactions"]:
            receipt = eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
            count[receipt["from"]] += 1
            cost[receipt["from"]] += receipt["gasUsed"] * receipt["effectiveGasPrice"]
    return count, cost


@pytest.mark.parametrize("account", [*AGGREGATORS, *range(FIRST_TRAINER, FIRST_TRAINER + SLOTS)])
def test_every_figure_is_the_chains(
    told: Told, paid: tuple[Counter[str], Counter[str]], account: int
) -> None:
    client, profit = told.client, profit_of(told, account)
    row, holder = row_of(profit, told.settled), profit.account
    trainer = account >= FIRST_TRAINER
    parts = client.trainer_accounts(told.settled) if trainer else client.aggregators(told.settled)
    assert row.standing.earned == next(part.earned for part in parts if part.holder == holder)
    assert row.standing.claimed == total(told, Claimed, "account", holder, "amount")
    withheld = total(told, UpdateWithheld, "trainer", holder, "paid")
    late = total(told, AggregatorTimedOut, "aggregator", holder, "slashed")
    assert row.moved.lost == withheld + late
    assert {r.standing.project: r.standing.staked for r in profit.rows} == {
        number: client.membership(number, holder).locked
        for number in (r.standing.project for r in profit.rows)
    }

    transactions, cost = paid
    assert profit.elsewhere is not None
    spent = sum((r.spent for r in profit.rows if r.spent), profit.elsewhere)
    assert (spent.sent, spent.failed, spent.pending) == (transactions[holder], 0, 0)
    assert (profit.gas_wei, spent.gas_wei) == (cost[holder], cost[holder])

    # What came in and went out, over all projects of this account on this chain, is what it has.
    began = tokens.balance(client.web3, NATIVE_COIN, holder, block=0)
    gained = sum(r.standing.claimed + r.moved.won - r.moved.lost for r in profit.rows)
    assert worth(client, holder) == began + gained - cost[holder]
    (native,) = document(profit)["totals"]
    net = sum(r.standing.earned + r.moved.won - r.moved.lost for r in profit.rows)
    assert native["net_after_gas"] == str(net - cost[holder])


def test_the_chain_is_asked_for_no_receipt_that_the_journal_has(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def counted(client: MarketClient, hashes: Sequence[bytes]) -> list[Mined | None]:
        asked.extend(hashes)
        return mined(client, hashes)

    whole = profit_of(told, FIRST_TRAINER)
    monkeypatch.setattr(spending, "mined", counted)
    assert profit_of(told, FIRST_TRAINER) == whole
    assert whole.gas_wei
    assert asked == []
    monkeypatch.setattr(Journal, "settled", lambda *_: {})  # as the first program's journals are
    assert profit_of(told, FIRST_TRAINER) == whole
    assert asked


def test_losses_and_what_they_won_are_of_their_project(told: Told) -> None:
    late, next_one, silent = (profit_of(told, n) for n in (*AGGREGATORS, FIRST_TRAINER + SILENT))
    assert row_of(late, told.settled).moved.lost > 0
    won = row_of(late, told.settled).moved.won + row_of(next_one, told.settled).moved.won
    assert won == row_of(silent, told.settled).moved.lost > 0
    begun = row_of(late, told.begun)
    assert (begun.moved, begun.standing.earned) == (Moved(), 0)
    assert begun.standing.staked == told.client.terms(told.begun).aggregator_bond


def test_without_its_journal_an_accounts_gas_is_unknown_and_not_zero(told: Told) -> None:
    holder = address(public_account(FIRST_TRAINER).address)
    said = document(read_profit(told.client, holder, None, trainer=True))
    assert said["gas_wei"] is None
    assert {row["gas_wei"] for row in said["projects"]} == {None}
    assert "net_after_gas" not in said["totals"][0]


def test_tokens_are_told_apart_and_gas_from_both(capsys: pytest.CaptureFixture[str]) -> None:
    def row(project: int, token: Address, earned: int, gas: int) -> Row:
        standing = Standing(project, Status.SETTLED, 2, token, earned, earned - 1, 0)
        return Row(standing, Moved(lost=5, won=2), Spent(sent=3, gas_wei=gas))

    rows = (row(1, NATIVE_COIN, 10**18 + 7, 100), row(2, COIN, 2**80 + 1, 20), row(3, COIN, 1, 3))
    said = document(Profit(COIN, rows, Spent(gas_wei=4)))
    native, coin = said["totals"]
    assert (native["token"], coin["token"]) == ("native", COIN)
    assert native["net"] == str(10**18 + 4)
    assert native["net_after_gas"] == str(10**18 + 4 - 127)
    assert (coin["earned"], coin["claimable"], coin["net"]) == (str(2**80 + 2), "2", str(2**80 - 4))
    assert "net_after_gas" not in coin
    assert (said["gas_wei"], said["gas_wei_of_no_project"]) == ("127", "4")
    assert json.loads(json.dumps(said)) == said

    console.configure()
    console.result(said, table(said))
    shown = capsys.readouterr().out
    assert str(2**80 + 2) in shown
    assert f"gas in all: 127 wei; the native coin's net after gas: {10**18 + 4 - 127} wei" in shown
