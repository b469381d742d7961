"""What a demo came to: who was paid what, from the chain alone, as JSON and as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from hexbytes import HexBytes
from rich.console import Console

from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.events import fetch
from marketplace.chain.types import ScoreRule, Settlement, Terms
from marketplace.devnet.demo.cast import Cast
from marketplace.devnet.demo.story import RoundStory
from marketplace.node import console
from marketplace.node.models import last_standing
from marketplace.node.outcomes import posted_result
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import distance, members
from marketplace.storage.cid import from_digest

_WEI = 10**18

E = TypeVar("E", bound=e.Event)


@dataclass(frozen=True)
class Seconds:
    """How long set-up and run took."""

    setup: float
    run: float


@dataclass(frozen=True)
class Chronicle:
    """A project of one cohort, its events in the chain's order."""

    client: MarketClient
    project: int
    terms: Terms
    events: list[e.Event]

    def of(self, kind: type[E]) -> list[E]:
        """The events of a type."""
        return [event for event in self.events if isinstance(event, kind)]

    def results(self) -> list[e.ResultPosted]:
        """The results that stand."""
        undone = {event.round for event in self.of(e.RoundUndone)}
        return [event for event in self.of(e.ResultPosted) if event.round not in undone]

    def result(self, number: int) -> e.ResultPosted | None:
        """A round's result, if it stands."""
        return next((posted for posted in self.results() if posted.round == number), None)

    def ending(self, number: int) -> str:
        """How a round stands: proved, posted, skipped, undone or open."""
        if any(event.round == number for event in self.of(e.RoundUndone)):
            return "undone"
        if self.result(number) is not None:
            return "proved" if self.terms.settlement is Settlement.PROVED else "posted"
        skipped = any(event.round == number for event in self.of(e.RoundSkipped))
        return "skipped" if skipped else "open"


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
    state, terms = client.project(project), client.terms(project)
    chronicle = Chronicle(client, project, terms, fetch(client, e.MARKET_EVENTS, project))
    last = last_standing(chronicle.events)
    return {
        "project": project,
        "rounds": [_round(chronicle, n, told.get(n)) for n in range(1, state.round + 1)],
        "trainers": [
            _trainer(chronicle, i, addresses[f"trainer-{i}"], behaviour)
            for i, behaviour in enumerate(cast.trainers)
        ],
        "aggregators": [
            _aggregator(chronicle, addresses[f"aggregator-{i}"], behaviour)
            for i, behaviour in enumerate(cast.aggregators)
        ],
        "owner": {
            "address": str(state.owner),
            "escrow": str(terms.reward),
            "refund": str(sum(end.refund for end in chronicle.of(e.ProjectEnded))),
            "references": len(chronicle.of(e.ReferenceSubmitted)),
            "revealed": state.revealed,
        },
        "audit": audit,
        "model": None if last is None else _model(last, told.get(last.round)),
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
    output.print(
        f"owner: {_coins(owner['escrow'])} in escrow, {_coins(owner['refund'])} refunded, "
        f"{owner['references']} references"
    )
    if result["model"] is not None:
        output.print(f"model: {result['model']['cid']}, accuracy {_accuracy(result['model']['accuracy'])}")
    output.print(_verdict(result["audit"]))
    output.print(f"set-up {seconds['setup']} s, run {seconds['run']} s")


def _round(chronicle: Chronicle, number: int, told: RoundStory | None) -> dict[str, Any]:
    posted = chronicle.result(number)
    return {
        "round": number,
        "outcome": chronicle.ending(number),
        "merged": None if posted is None else list(members(posted.merged)),
        "krum_scores": None if posted is None else [str(score) for score in _krum_scores(chronicle, posted)],
        "shares": None if posted is None else _shares(posted),
        "reference": any(made.round == number for made in chronicle.of(e.ReferenceSubmitted)),
        "accuracy": told.accuracy if told else None,
        "proof_cpu_s": told.proof_cpu_s if told else None,
        "gas": None if posted is None else _gas(chronicle.client, posted.transaction_hash),
    }


def _krum_scores(chronicle: Chronicle, posted: e.ResultPosted) -> list[int]:
    """By slot, from the neighbours that the contract has checked; 0 for a slot that was not present."""
    result = posted_result(chronicle.client, chronicle.project, posted)
    inputs = chronicle.terms.slots + (chronicle.terms.score_rule is ScoreRule.REFERENCE)
    gram = Gram(inputs, tuple(from_felt(entry) for entry in result.gram))
    return [
        sum(distance(gram, slot, other) for other in members(near))
        for slot, near in enumerate(result.neighbours)
    ]


def _shares(posted: e.ResultPosted) -> list[float]:
    """Of what the round paid, by slot."""
    paid = sum(posted.amounts)
    return [amount / paid if paid else 0.0 for amount in posted.amounts]


def _trainer(chronicle: Chronicle, index: int, address: str, behaviour: str) -> dict[str, Any]:
    joined = [event.number for event in chronicle.of(e.TrainerJoined) if event.trainer == address]
    slot = joined[-1] if joined else None  # as many places as slots: nothing is drawn
    results = [posted for posted in chronicle.results() if slot is not None]
    rounds = max((opened.round for opened in chronicle.of(e.RoundOpened)), default=1)
    lost = [struck.slashed for struck in chronicle.of(e.TrainerStruck) if struck.trainer == address]
    withheld = [event.paid for event in chronicle.of(e.UpdateWithheld) if event.trainer == address]
    return {
        "index": index,
        "address": address,
        "slot": slot,
        "behaviour": behaviour,
        "merged_rounds": sum(posted.merged >> (slot or 0) & 1 for posted in results),
        "mean_share": sum(_shares(posted)[slot or 0] for posted in results) / rounds,
        "paid": str(sum(posted.amounts[slot or 0] for posted in results)),
        "stake_lost": str(sum(lost)),
        "deposits_lost": str(sum(withheld)),
    }


def _aggregator(chronicle: Chronicle, address: str, behaviour: str) -> dict[str, Any]:
    joined = [event.index for event in chronicle.of(e.AggregatorJoined) if event.aggregator == address]
    late, undone = chronicle.of(e.AggregatorTimedOut), chronicle.of(e.RoundUndone)
    lost = [(event.aggregator, event.slashed) for event in late]
    lost += [(event.aggregator, event.slashed) for event in undone]
    return {
        "index": joined[-1] if joined else None,
        "address": address,
        "behaviour": behaviour,
        "fee": str(sum(posted.fee for posted in chronicle.results() if posted.aggregator == address)),
        "bond_lost": str(sum(slashed for aggregator, slashed in lost if aggregator == address)),
    }


def _model(last: e.ResultPosted, told: RoundStory | None) -> dict[str, Any]:
    return {
        "cid": from_digest(last.model),
        "accuracy": told.accuracy if told else None,
        "commitment": [str(last.x), str(last.y)],
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
