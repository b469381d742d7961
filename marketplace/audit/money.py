"""Conservation, credits, stakes and reputation: what events amount to, against what the contracts hold."""

from __future__ import annotations

from collections import Counter

from marketplace.audit.history import History
from marketplace.audit.ledger import Ledger
from marketplace.audit.replay import Replay
from marketplace.audit.report import failed
from marketplace.audit.rounds import Theme
from marketplace.chain import events as e
from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.types import NATIVE_COIN, Address

_MOVES = (e.Locked, e.Unlocked, e.Slashed)


def check_conservation(history: History, replayed: Replay) -> str:
    """reward + slashed = paid + fees + refund + escrow and pot still held."""
    wrong = replayed.about(Theme.MONEY)
    if wrong:
        raise failed(str(wrong[0]))
    came = history.terms.reward + replayed.slashed
    held = history.state.escrow + history.state.pot
    went = replayed.paid + replayed.fees + replayed.refund
    if came != went + held:
        raise failed(f"{came} came in, but {went} was given out and {held} is held")
    return (
        f"reward {history.terms.reward} + slashed {replayed.slashed} = paid {replayed.paid} "
        f"+ fees {replayed.fees} + refund {replayed.refund} + held {held}"
    )


def check_credits(client: MarketClient, history: History, ledger: Ledger) -> str:
    """What each account of the project may claim is what all projects credited to it, less what it claimed."""
    token, at = history.terms.token, history.block.number
    derived = ledger.credits(token)
    accounts = _accounts(history)
    for account in accounts:
        held = client.credit_of(token, account, block=at)
        if held != derived[account]:
            raise failed(
                f"{account} may claim {held}, but its credits less its claims are {derived[account]}"
            )
    return f"the credits of {len(accounts)} accounts are what the events of all projects give"


def check_solvency(client: MarketClient, history: History, ledger: Ledger) -> str:
    """The market holds at least what it owes in this token: credits, escrows and pots of all projects."""
    token, at = history.terms.token, history.block.number
    owed = sum(ledger.credits(token).values()) + ledger.held(token)
    holds = tokens.balance(client.web3, token, client.address, block=at)
    if holds < owed:
        raise failed(f"the market holds {holds}, but owes {owed}")
    return f"the market holds {holds} and owes {owed}"


def check_stakes(client: MarketClient, history: History, replayed: Replay, ledger: Ledger) -> str:
    """Each join, leave, strike, time-out and release moved exactly its stake in the vault, and nothing else did."""
    token, at = history.terms.token, history.block.number
    due: dict[bytes, Counter[tuple[str, Address, Address, int]]] = {}
    for movement in replayed.movements:
        moves = due.setdefault(movement.transaction_hash, Counter())
        moves[(movement.kind.__name__, token, movement.account, movement.amount)] += 1
    for transaction_hash, expected in due.items():
        found = Counter(
            (type(event).__name__, event.token, event.account, event.amount)
            for event in ledger.vault
            if isinstance(event, _MOVES) and event.transaction_hash == transaction_hash
        )
        missing = expected - found
        surplus = found - expected if ledger.projects_in(transaction_hash) == {history.project} else None
        for what, moves_ in (("not", missing), ("besides", surplus)):
            if moves_:
                kind, _, account, amount = next(iter(moves_))
                raise failed(
                    f"the vault has {what} {kind} {amount} of {account} in 0x{transaction_hash.hex()}"
                )
    accounts, all_locked, all_free = _accounts(history), ledger.locked(token), ledger.free(token)
    for account in accounts:
        for name, held, derived in (
            ("locked", client.vault.locked(token, account, block=at), all_locked[account]),
            ("free", client.vault.free(token, account, block=at), all_free[account]),
        ):
            if held != derived:
                raise failed(f"the vault holds {held} {name} of {account}, but its events give {derived}")
        locked = client.locked_of(history.project, account, block=at)
        if locked != replayed.members.locked.get(account, 0):
            raise failed(
                f"the project holds {locked} locked of {account}, not {replayed.members.locked.get(account, 0)}"
            )
    return f"{len(replayed.movements)} movements of {len(accounts)} accounts are the vault's own"


def check_reputation(history: History, replayed: Replay) -> str:
    """The registry recorded each result, omission and time-out once, and nothing else for this project."""
    found = [
        (
            event.transaction_hash,
            event.round,
            event.aggregator if isinstance(event, e.AggregatorRecorded) else None,
            isinstance(event, e.AggregatorRecorded) and event.fault,
        )
        for event in history.reputation
        if isinstance(event, e.AggregatorRecorded | e.TrainersRecorded)
    ]
    due = [
        (record.transaction_hash, record.round, record.aggregator, record.fault)
        for record in replayed.records
    ]
    if found != due:
        place = next(i for i in range(max(len(found), len(due))) if found[i : i + 1] != due[i : i + 1])
        round_ = (found[place] if place < len(found) else due[place])[1]
        raise failed(f"the registry's records of round {round_} are not those that the round gives")
    return f"{len(found)} records in the registry are those of the results, omissions and time-outs"


def _accounts(history: History) -> list[Address]:
    """Owner, trainers and aggregators, those that left included."""
    found = [history.state.owner]
    for event in history.events:
        match event:
            case e.TrainerJoined():
                found.append(event.trainer)
            case e.AggregatorJoined():
                found.append(event.aggregator)
    return [account for account in dict.fromkeys(found) if account != NATIVE_COIN]
