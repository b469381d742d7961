"""What a demo came to: who was paid what, from the chain alone, as JSON and as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hexbytes import HexBytes
from rich.console import Console

from marketplace.audit.history import History, read_history
from marketplace.audit.replay import Replay, replay
from marketplace.audit.rounds import RoundReplay
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.devnet.demo.cast import Cast
from marketplace.devnet.demo.story import RoundStory
from marketplace.node import console
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest

_MILLION = 1_000_000
_WEI = 10**18


@dataclass(frozen=True)
class Seconds:
    """How long set-up and run took."""

    setup: float
    run: float


def document(
    client: MarketClient,
    project: int,
    cast: Cast,
    addresses: dict[str, str],
    told: dict[int, RoundStory],
    audit: dict[str, Any],
    seconds: Seconds,
) -> dict[str, Any]:
    """The demo's JSON document (docs/quickstart.md). `told`: accuracies and proof times by round."""
    history = read_history(client, project)
    replayed = replay(history)
    ends = history.of(e.ProjectEnded)
    last = next((r for r in reversed(replayed.rounds) if r.posted is not None), None)
    return {
        "project": project,
        "rounds": [_round(client, round_, told.get(round_.number)) for round_ in replayed.rounds],
        "trainers": [
            _trainer(history, replayed, i, addresses[f"trainer-{i}"], behaviour)
            for i, behaviour in enumerate(cast.trainers)
        ],
        "aggregators": [
            _aggregator(history, addresses[f"aggregator-{i}"], behaviour)
            for i, behaviour in enumerate(cast.aggregators)
        ],
        "owner": {
            "address": str(history.state.owner),
            "escrow": str(history.terms.reward),
            "refund": str(sum(end.refund for end in ends)),
        },
        "audit": audit,
        "model": None if last is None else _model(last, told.get(last.number)),
        "seconds": {"setup": round(seconds.setup, 1), "run": round(seconds.run, 1)},
    }


def draw(result: dict[str, Any], output: Console) -> None:
    """The document for people."""
    rounds = console.table("round", "merged slots", "accuracy", "proof CPU s", "gas", title="Rounds")
    for row in result["rounds"]:
        merged = " ".join(map(str, row["merged"])) if row["merged"] is not None else row["outcome"]
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.4f}"
        rounds.add_row(
            str(row["round"]), merged, accuracy, str(row["proof_cpu_s"] or ""), str(row["gas"] or "")
        )
    trainers = console.table(
        "trainer", "behaviour", "merged", "mean share", "paid", "stake lost", title="Trainers"
    )
    for row in result["trainers"]:
        trainers.add_row(
            str(row["index"]),
            row["behaviour"],
            f"{row['merged_rounds']}/{len(result['rounds'])}",
            f"{row['mean_share']:.1%}",
            _coins(row["paid"]),
            _coins(row["stake_lost"]),
        )
    aggregators = console.table("aggregator", "behaviour", "fees", "bond lost", title="Aggregators")
    for row in result["aggregators"]:
        aggregators.add_row(str(row["index"]), row["behaviour"], _coins(row["fee"]), _coins(row["bond_lost"]))
    for table in (rounds, trainers, aggregators):
        output.print(table)
        output.print()
    owner, seconds = result["owner"], result["seconds"]
    output.print(f"owner: {_coins(owner['escrow'])} in escrow, {_coins(owner['refund'])} refunded")
    if result["model"] is not None:
        output.print(f"model: {result['model']['cid']}, accuracy {_accuracy(result['model']['accuracy'])}")
    output.print(_verdict(result["audit"]))
    output.print(f"set-up {seconds['setup']} s, run {seconds['run']} s")


def _round(client: MarketClient, replayed: RoundReplay, told: RoundStory | None) -> dict[str, Any]:
    settled, posted = replayed.settlement, replayed.posted
    return {
        "round": replayed.number,
        "outcome": str(replayed.outcome),
        "merged": None if posted is None else list(members(posted.merged)),
        "krum_scores": None if settled is None else [str(score) for score in settled.judgement.scores],
        "shares": None if settled is None else [share / _MILLION for share in settled.shares],
        "accuracy": told.accuracy if told else None,
        "proof_cpu_s": told.proof_cpu_s if told else None,
        "gas": None if posted is None else _gas(client, posted.transaction_hash),
    }


def _trainer(history: History, replayed: Replay, index: int, address: str, behaviour: str) -> dict[str, Any]:
    slots = [joined.slot for joined in history.of(e.TrainerJoined) if joined.trainer == address]
    slot = slots[-1] if slots else None
    merged, shares = 0, 0
    for round_ in replayed.rounds:
        if slot is not None and round_.posted is not None and round_.posted.merged >> slot & 1:
            merged += 1
        if slot is not None and round_.settlement is not None:
            shares += round_.settlement.shares[slot]
    paid = sum(payment.amount for payment in history.of(e.TrainerPaid) if payment.trainer == address)
    lost = sum(strike.slashed for strike in history.of(e.TrainerStruck) if strike.trainer == address)
    return {
        "index": index,
        "address": address,
        "slot": slot,
        "behaviour": behaviour,
        "merged_rounds": merged,
        "mean_share": shares / _MILLION / max(1, len(replayed.rounds)),
        "paid": str(paid),
        "stake_lost": str(lost),
    }


def _aggregator(history: History, address: str, behaviour: str) -> dict[str, Any]:
    joined = [event.index for event in history.of(e.AggregatorJoined) if event.aggregator == address]
    return {
        "index": joined[-1] if joined else None,
        "address": address,
        "behaviour": behaviour,
        "fee": str(sum(event.fee for event in history.of(e.ResultPosted) if event.aggregator == address)),
        "bond_lost": str(
            sum(event.slashed for event in history.of(e.AggregatorTimedOut) if event.aggregator == address)
        ),
    }


def _model(last: RoundReplay, told: RoundStory | None) -> dict[str, Any]:
    assert last.posted is not None
    return {
        "cid": from_digest(last.posted.model),
        "accuracy": told.accuracy if told else None,
        "commitment": [str(last.posted.x), str(last.posted.y)],
    }


def _gas(client: MarketClient, transaction_hash: bytes) -> int:
    with translated_errors("read a receipt"):
        return int(client.web3.eth.get_transaction_receipt(HexBytes(transaction_hash))["gasUsed"])


def _verdict(audit: dict[str, Any]) -> str:
    held = sum(check["ok"] is True for check in audit["checks"])
    if audit["ok"]:
        return f"audit: all {held} checks hold"
    first = next((check for check in audit["checks"] if check["ok"] is not True), None)
    return f"audit: NOT VALID: {first['name']}: {first['detail']}" if first else "audit: NOT VALID"


def _coins(amount: str) -> str:
    return f"{int(amount) / _WEI:.4f} ETH" if int(amount) else "0"


def _accuracy(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
