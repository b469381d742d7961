"""Events against the transactions they are said to come from: receipts, and the calldata of direct calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hexbytes import HexBytes
from web3.exceptions import MismatchedABI, Web3ValueError
from web3.types import TxReceipt

from marketplace.audit.history import PROJECT_EVENTS, History
from marketplace.audit.report import failed
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import Terms, address

# Which arguments of a call an event repeats: (function, event, {argument: field}).
_REPEATED: tuple[tuple[str, type[e.Event], dict[str, str]], ...] = (
    ("join", e.TrainerJoined, {"project": "project", "encryptionKey": "encryption_key"}),
    (
        "joinAsAggregator",
        e.AggregatorJoined,
        {"project": "project", "encryptionKey": "encryption_key", "contact": "contact"},
    ),
    (
        "submit",
        e.UpdateSubmitted,
        {"project": "project", "round": "round", "x": "x", "y": "y", "blob": "blob"},
    ),
    ("reseal", e.KeyResealed, {"project": "project", "round": "round", "sealedKey": "sealed_key"}),
    ("skip", e.RoundSkipped, {"project": "project", "round": "round", "omitted": "omitted"}),
    ("postResult", e.ResultPosted, {"project": "project"}),
    ("timeout", e.AggregatorTimedOut, {"project": "project", "round": "round"}),
)


def check_receipts(client: MarketClient, history: History) -> str:
    """Every event stands in its transaction's receipt, as it was served, and no other does."""
    hashes = list(dict.fromkeys(event.transaction_hash for event in (*history.events, *history.reputation)))
    for transaction_hash in hashes:
        with translated_errors(f"read the receipt of 0x{transaction_hash.hex()}"):
            receipt = client.web3.eth.get_transaction_receipt(HexBytes(transaction_hash))
        if receipt["status"] != 1:
            raise failed(f"transaction 0x{transaction_hash.hex()} was reverted, so it has no events")
        for where, kinds, served in (
            (history.market, PROJECT_EVENTS, history.events),
            (address(client.reputation.address), e.REPUTATION_EVENTS, history.reputation),
        ):
            _compare(
                [event for event in served if event.transaction_hash == transaction_hash],
                _logged(receipt, where, kinds, history.project),
                transaction_hash,
            )
    return f"{len(history.events)} events stand in the receipts of {len(hashes)} transactions"


def check_calldata(client: MarketClient, history: History) -> str:
    """What an event repeats of its call is what the calldata of its transaction says."""
    direct = 0
    hashes = list(dict.fromkeys(event.transaction_hash for event in history.events))
    for transaction_hash in hashes:
        with translated_errors(f"read transaction 0x{transaction_hash.hex()}"):
            transaction = client.web3.eth.get_transaction(HexBytes(transaction_hash))
        if transaction.get("to") is None or address(str(transaction["to"])) != history.market:
            continue
        direct += 1
        try:
            function, arguments = client.market.decode_function_input(HexBytes(transaction["input"]))
        except (Web3ValueError, MismatchedABI) as error:
            raise failed(f"the calldata of 0x{transaction_hash.hex()} is no call of the market") from error
        _hold(history, transaction_hash, function.fn_name, arguments)
    return f"{direct} of {len(hashes)} transactions called the market directly; their events repeat the calls"


def _logged(receipt: TxReceipt, where: str, kinds: tuple[type[e.Event], ...], project: int) -> list[e.Event]:
    found = [e.decode_log(kinds, log) for log in receipt["logs"] if address(str(log["address"])) == where]
    return [event for event in found if event is not None and getattr(event, "project", None) == project]


def _compare(served: list[e.Event], logged: list[e.Event], transaction_hash: bytes) -> None:
    for place in range(max(len(served), len(logged))):
        event = served[place] if place < len(served) else None
        if place >= len(logged) or event != logged[place]:
            name = type(event if event is not None else logged[place]).__name__
            raise failed(f"{name} differs from the receipt of transaction 0x{transaction_hash.hex()}")


def _hold(history: History, transaction_hash: bytes, function: str, arguments: dict[str, Any]) -> None:
    if function == "create":
        posted = Terms.from_abi(_values(arguments["terms"]))
        if posted != history.terms:
            raise failed(f"the terms are not those that transaction 0x{transaction_hash.hex()} posted")
    for name, kind, repeated in _REPEATED:
        for event in history.of(kind):
            if event.transaction_hash != transaction_hash:
                continue
            if name != function:
                raise failed(
                    f"{kind.__name__} is said to come from a {function} in 0x{transaction_hash.hex()}"
                )
            for argument, field in repeated.items():
                if arguments[argument] != getattr(event, field):
                    raise failed(
                        f"{kind.__name__}: {field} is not what transaction 0x{transaction_hash.hex()} said"
                    )
            if isinstance(event, e.ResultPosted) and isinstance(
                history.results.get((transaction_hash, event.round)), str
            ):
                raise failed(f"the result in transaction 0x{transaction_hash.hex()} is not that of its event")


def _values(struct: Any) -> Any:
    """A decoded struct as nested tuples; web3 gives mappings for some."""
    if isinstance(struct, Mapping):
        return tuple(_values(value) for value in struct.values())
    return struct
