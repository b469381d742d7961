"""Events against the transactions they are said to come from: receipts, and the calldata of direct calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hexbytes import HexBytes
from web3.exceptions import MismatchedABI, Web3ValueError
from web3.types import TxReceipt

from marketplace.audit.history import PROJECT_EVENTS, History
from marketplace.audit.report import failed
from marketplace.audit.spoken import place_of
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import Terms, address

# What a call's arguments must be, by the event that repeats them: {event: {function: {argument: of the event}}}.
_Repeated = dict[str, Callable[[Any], Any]]
_ROUND: _Repeated = {"project": lambda e: e.project, "round": lambda e: e.round}
_COHORT: _Repeated = _ROUND | {"cohort": lambda e: e.cohort}
_COMPLAINT: _Repeated = _COHORT | {"slots": lambda e: e.slots}
_RESULT: _Repeated = {
    "project": lambda e: e.project,
    "result.round": lambda e: e.round,
    "result.cohort": lambda e: e.cohort,
}
_POSTED: _Repeated = _RESULT | {"result.merged": lambda e: e.merged, "result.model": lambda e: e.model}
_FACTS: _Repeated = {"project": lambda e: e.project, "facts.round": lambda e: e.round}
_KEY: _Repeated = {"project": lambda e: e.project, "encryptionKey": lambda e: e.encryption_key}
_SENT: _Repeated = _ROUND | {"digest": lambda e: e.digest, "blob": lambda e: e.blob}


def _repeated(slots: int) -> dict[type[e.Event], dict[str, _Repeated]]:
    """`slots`: K."""
    seated = _SENT | {"seat": lambda e: e.cohort * slots + e.slot}
    project: _Repeated = {"project": lambda e: e.project}
    return {
        e.TrainerJoined: {"join": _KEY},
        e.AggregatorJoined: {"joinAsAggregator": _KEY | {"contact": lambda e: e.contact}},
        e.TrainerLeft: {"leave": project},
        e.AggregatorLeft: {"leave": project},
        e.UpdateSubmitted: {"submit": seated, "submitSigned": seated | {"trainer": lambda e: e.trainer}},
        e.ReferenceSubmitted: {"submitReference": _SENT},
        e.BatchPosted: {
            "postBatch": _COHORT
            | {"slots": lambda e: e.slots, "root": lambda e: e.root, "list": lambda e: e.list}
        },
        e.KeyResealed: {"reseal": _ROUND | {"sealedKey": lambda e: e.sealed_key}},
        e.UpdatesComplained: {"complain": _COMPLAINT, "complainChunks": _COMPLAINT},
        e.UpdateAnswered: {
            "answer": _COHORT
            | {
                "slot": lambda e: e.slot,
                "commitment": lambda e: (e.x, e.y),
                "opening.packed": lambda e: e.packed,
            }
        },
        e.RoundSkipped: {"skip": _COHORT},
        e.ResultPosted: {"postResult": _POSTED, "postSketchResult": _POSTED},
        e.ResultStated: {"postResult": _RESULT},
        e.AggregatorTimedOut: {"timeout": _ROUND},
        e.Challenged: {
            "challenge": project | {"kind": lambda e: e.kind, "cohort": lambda e: e.cohort},
            "challengeSketch": project | {"kind": lambda e: e.kind},
        },
        e.ChallengeAnswered: {
            "answerModel": project | {"opening.packed": lambda e: e.packed},
            "answerProof": project,
            "showChunk": project,
            "closeSketch": project,
        },
        **_sketched(project),
        e.RoundUndone: {"undo": project},
        e.ValidationRevealed: {
            "reveal": project | {"validation": lambda e: e.validation, "salt": lambda e: e.salt}
        },
        e.Released: {"release": project},
        e.Claimed: {"claim": project | {"account": lambda e: e.account}},
    }


def _sketched(project: _Repeated) -> dict[type[e.Event], dict[str, _Repeated]]:
    """Of the sketch path alone."""
    return {
        e.SketchDrawn: {"drawSketch": _ROUND},
        e.ChunksComplained: {"complainChunks": _COMPLAINT | {"chunks": lambda e: e.chunks}},
        e.UpdateChunkAnswered: {
            "answerChunk": _COHORT
            | {
                "slot": lambda e: e.slot,
                "given.root": lambda e: e.root,
                "given.point": lambda e: (e.x, e.y),
                "given.packed": lambda e: e.packed,
            }
        },
        e.SketchResultPosted: {
            "postSketchResult": _RESULT | {"sketch.leftOut": lambda e: e.left_out},
        },
        e.ChunkQuestioned: {
            "challengeSketch": project
            | {"question.cohort": lambda e: e.facts.cohort, "question.chunk": lambda e: e.facts.chunk}
        },
        e.SketchQuestioned: {"challengeSketch": project | {"question.slot": lambda e: e.facts.slot}},
        e.ChunkShown: {
            "showChunk": _FACTS
            | {
                "facts.cohort": lambda e: e.cohort,
                "facts.chunk": lambda e: e.chunk,
                "shown.packed": lambda e: e.packed,
            }
        },
        e.SketchAnswered: {"answerSketch": _FACTS | {"values": lambda e: e.values}},
        e.SketchRefuted: {"refuteSketch": _FACTS | {"chunk": lambda e: e.chunk}},
    }


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
                (client.reputation_address, e.REPUTATION_EVENTS, history.reputation),
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
    where = f"0x{transaction_hash.hex()}"
    if function == "create" and Terms.from_abi(_values(arguments["terms"])) != history.terms:
        raise failed(f"the terms are not those that transaction {where} posted")
    repeated = _repeated(history.terms.slots)
    for event in history.events:
        if event.transaction_hash != transaction_hash or type(event) not in repeated:
            continue
        name = type(event).__name__
        said = repeated[type(event)].get(function)
        if said is None:
            raise failed(f"{name} is said to come from a {function} in {where}")
        for argument, value in said.items():
            if _values(_argument(arguments, argument)) != value(event):
                raise failed(f"{name}: {argument} is not what transaction {where} said")
        if isinstance(event, e.ResultPosted) and isinstance(history.results.get(place_of(event)), str):
            raise failed(f"the result in transaction {where} is not that of its event")


def _argument(arguments: dict[str, Any], name: str) -> Any:
    value: Any = arguments
    for part in name.split("."):
        value = value[part]
    return value


def _values(struct: Any) -> Any:
    """A decoded struct or list as nested tuples; web3 gives mappings for some."""
    if isinstance(struct, Mapping):
        return tuple(_values(value) for value in struct.values())
    return tuple(map(_values, struct)) if isinstance(struct, list) else struct
