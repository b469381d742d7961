"""What the final chain says of a project: nothing happened twice, and no coin was made or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hexbytes import HexBytes

from marketplace.chain import token
from marketplace.chain.client import MarketClient
from marketplace.chain.events import AggregatorTimedOut, Claimed, ProjectEnded, UpdateSubmitted, fetch
from marketplace.chain.types import Address, address
from marketplace.node.journal import Journal


def transactions_by_sender(client: MarketClient) -> Mapping[Address, list[tuple[int, bytes, bool]]]:
    """All transactions of the chain in their order: nonce, hash, and whether it succeeded."""
    eth, found = client.web3.eth, dict[Address, list[tuple[int, bytes, bool]]]()
    for number in range(client.latest_block().number + 1):
        block = eth.get_block(number, full_transactions=True)
        for each in block["transactions"]:
            hash_ = HexBytes(each["hash"])  # type: ignore[index]
            done = eth.get_transaction_receipt(hash_)["status"] == 1
            sender = address(str(each["from"]))  # type: ignore[index]
            found.setdefault(sender, []).append((int(each["nonce"]), bytes(hash_), done))  # type: ignore[index]
    return found


def assert_nothing_twice(client: MarketClient, project: int, journals: Mapping[Address, Path]) -> None:
    """Each nonce is used once, by what the account's own journal holds, and each intent has succeeded at most once.

    Each slot has one submission a round, and each account one claim since the project's end: a reorganisation may have
    put one before it.
    """
    sent = transactions_by_sender(client)
    for account, path in journals.items():
        nonces = [nonce for nonce, _, _ in sent[account]]
        assert nonces == list(range(len(nonces))), f"{account}: {nonces}"
        with Journal(path, read_only=True) as journal:
            intents = {each.hash: each.intent for each in journal.sent(client.chain_id, account)}
        done = Counter(intents[hash_] for _, hash_, succeeded in sent[account] if succeeded)
        assert not _repeated(done), f"{account}: {_repeated(done)}"
    submissions = Counter((e.round, e.cohort, e.slot) for e in fetch(client, [UpdateSubmitted], project))
    assert not _repeated(submissions), _repeated(submissions)
    (ended,) = fetch(client, [ProjectEnded], project)
    claims = Counter(
        event.account
        for event in fetch(client, [Claimed], project)
        if (event.block_number, event.log_index) > (ended.block_number, ended.log_index)
    )
    assert not _repeated(claims), _repeated(claims)


def assert_money_adds_up(client: MarketClient, project: int) -> None:
    """Of a chain with this project alone, once everybody has claimed: what came in went out, and stakes are back.

    What an aggregator that was late has lost came in, too.
    """
    terms = client.terms(project)
    paid = sum(event.amount for event in fetch(client, [Claimed], project))
    left = token.balance(client.web3, terms.token, client.address)
    slashed = sum(event.slashed for event in fetch(client, [AggregatorTimedOut], project))
    assert paid + left == terms.reward + terms.reveal_bond + slashed, f"{paid} paid, {left} left"
    assert left == 0
    members = [*client.trainers(project), *(each.holder for each in client.aggregators(project))]
    stakes = sum(client.vault.free(terms.token, member) for member in members)
    assert stakes == token.balance(client.web3, terms.token, client.vault.address)
    assert not any(client.vault.locked(terms.token, member) for member in members)


def _repeated(counts: Counter[object]) -> list[object]:
    return [what for what, number in counts.items() if number > 1]


def journals_below(folder: Path, accounts: Mapping[str, Address]) -> Mapping[Address, Path]:
    """Each participant's journal, by its account; `accounts`: by name."""
    found = {}
    for name, account in accounts.items():
        (found[account],) = (folder / "state" / name).glob("*/*/journal.sqlite")
    return found
