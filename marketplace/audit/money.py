"""Conservation, claims, stakes and reputation: what events amount to, against what the contracts hold."""

from __future__ import annotations

from collections import Counter

from marketplace.audit.history import History
from marketplace.audit.ledger import Ledger
from marketplace.audit.replay import Replay
from marketplace.audit.report import failed
from marketplace.audit.rounds import Theme
from marketplace.audit.rules_members import ENDED
from marketplace.chain import events as e
from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.types import NATIVE_COIN, Address

_MOVES = (e.Locked, e.Unlocked, e.Slashed, e.Transferred)
_Move = tuple[str, Address, Address, Address | None, int]


def check_conservation(history: History, replayed: Replay) -> str:
    """reward + reveal bond + slashed = paid out + still to be claimed + held, and so after every single event."""
    wrong = replayed.about(Theme.MONEY)
    if wrong:
        raise failed(str(wrong[0]))
    terms, state = history.terms, history.state
    came = terms.reward + terms.reveal_bond + replayed.slashed
    held = state.escrow + state.pot
    owed = sum(replayed.claimable.values())
    bond = came - replayed.claimed - owed - held  # a reveal bond that is nobody's yet
    if bond != (0 if state.revealed or state.status in ENDED else terms.reveal_bond):
        raise failed(f"{came} came in, but {replayed.claimed} was paid, {owed} is owed and {held} is held")
    return (
        f"reward {terms.reward} + reveal bond {terms.reveal_bond} + slashed {replayed.slashed} = paid out "
        f"{replayed.claimed} + owed {owed} + held {held + bond}"
    )


def check_claims(client: MarketClient, history: History, replayed: Replay) -> str:
    """What each account of the project may claim is what it earned, less what it claimed."""
    accounts = list(replayed.claimable)
    views = [client.market_view("claimable", history.project, account) for account in accounts]
    found = client.call_many("read what may be claimed", views, block=history.block.number)
    for account, held in zip(accounts, found, strict=True):
        if held != replayed.claimable[account]:
            raise failed(f"{account} may claim {held}, but the events give {replayed.claimable[account]}")
    return f"what {len(accounts)} accounts may claim is what they earned, less what they claimed"


def check_solvency(client: MarketClient, history: History, ledger: Ledger) -> str:
    """The market holds at least what it owes in this token, over all projects."""
    token, at = history.terms.token, history.block.number
    owed = ledger.owed(token)
    holds = tokens.balance(client.web3, token, client.address, block=at)
    if holds < owed:
        raise failed(f"the market holds {holds}, but owes {owed}")
    return f"the market holds {holds} and owes {owed}"


def check_stakes(client: MarketClient, history: History, replayed: Replay, ledger: Ledger) -> str:
    """Each event that moves stake or a deposit moved exactly that in the vault, and nothing else did."""
    token, at = history.terms.token, history.block.number
    due: dict[bytes, Counter[_Move]] = {}
    for movement in replayed.movements:
        moves = due.setdefault(movement.transaction_hash, Counter())
        moves[(movement.kind.__name__, token, movement.account, movement.to, movement.amount)] += 1
    moved: dict[bytes, Counter[_Move]] = {}
    for event in ledger.vault:
        if isinstance(event, _MOVES):
            moved.setdefault(event.transaction_hash, Counter())[_move(event)] += 1
    for transaction_hash in dict.fromkeys((*due, *(event.transaction_hash for event in history.events))):
        found, expected = moved.get(transaction_hash, Counter()), due.get(transaction_hash, Counter())
        alone = ledger.projects_in(transaction_hash) == {history.project}
        for what, moves_ in (("not", expected - found), ("besides", found - expected if alone else None)):
            if moves_:
                kind, _, account, _, amount = next(iter(moves_))
                raise failed(
                    f"the vault has {what} {kind} {amount} of {account} in 0x{transaction_hash.hex()}"
                )
    accounts, all_locked, all_free = _accounts(history, replayed), ledger.locked(token), ledger.free(token)
    for account in accounts:
        for name, held, derived in (
            ("locked", client.vault.locked(token, account, block=at), all_locked[account]),
            ("free", client.vault.free(token, account, block=at), all_free[account]),
        ):
            if held != derived:
                raise failed(f"the vault holds {held} {name} of {account}, but its events give {derived}")
    return f"{len(replayed.movements)} movements of {len(accounts)} accounts are the vault's own"


def check_reputation(history: History, replayed: Replay) -> str:
    """The registry recorded each fault, and what each released account did, once, and nothing else here."""
    found = [(event.transaction_hash, *_record(event)) for event in history.reputation]
    due = [
        (record.transaction_hash, record.kind.__name__, record.account, record.value)
        for record in replayed.records
    ]
    if found != due:
        place = next(i for i in range(max(len(found), len(due))) if found[i : i + 1] != due[i : i + 1])
        _, kind, account, value = found[place] if place < len(found) else due[place]
        raise failed(f"the registry's {kind} of {account} ({value}) is not what the project's events give")
    return f"{len(found)} records in the registry are those of faults and of released stakes"


def _move(event: e.Event) -> _Move:
    match event:
        case e.Transferred():
            return "Transferred", event.token, event.from_, event.to, event.amount
        case e.Locked() | e.Unlocked() | e.Slashed():
            return type(event).__name__, event.token, event.account, None, event.amount
    raise ValueError(type(event).__name__)


def _record(event: e.Event) -> tuple[str, Address, int]:
    match event:
        case e.TrainerRecorded():
            return type(event).__name__, event.trainer, event.contribution
        case e.AggregatorRecorded():
            return type(event).__name__, event.aggregator, event.rounds
        case e.FaultRecorded():
            return type(event).__name__, event.account, int(event.as_aggregator)
    raise ValueError(type(event).__name__)


def _accounts(history: History, replayed: Replay) -> list[Address]:
    """Owner, members, challengers, those that left included."""
    found = list(replayed.claimable)
    for event in history.events:
        match event:
            case e.TrainerJoined():
                found.append(event.trainer)
            case e.AggregatorJoined():
                found.append(event.aggregator)
            case e.Challenged():
                found.append(event.challenger)
    return [account for account in dict.fromkeys(found) if account != NATIVE_COIN]
