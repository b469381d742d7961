"""What a demo's parties are doing, from the chain's events and their own logs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marketplace.chain import events as e
from marketplace.owner.watch import RoundModel
from marketplace.protocol.krum import members

# How a party's log event reads, as what it is doing.
_DOING = {
    "training": "training, round {round}",
    "making the reference": "training on the validation set, round {round}",
    "reference submitted": "submitted the reference, round {round}",
    "serving the reference": "serving the reference, round {round}",
    "no reference": "no reference in round {round}",
    "revealed the validation set": "revealed the validation set",
    "serving the project": "serving the project",
    "submitted": "submitted, round {round}",
    "answered": "answered a complaint, round {round}",
    "complained": "complained, round {round}",
    "model challenged": "challenged the model of round {round}",
    "serving": "serving its update, round {round}",
    "resealed": "sealed its update anew, round {round}",
    "missed the round": "missed round {round}",
    "joined": "joined",
    "proving": "proving round {round}",
    "proved": "proved round {round} ({cpu_s} CPU s)",
    "result posted": "posted the result of round {round}",
    "refused": "refused by the contract, round {round}",
    "waiting for updates": "waiting for updates, round {round}",
    "moved on": "moved the project on: {move}",
    "claimed": "claimed {amount}",
    "project over": "done",
}


@dataclass
class Part:
    """One party as the screen shows it."""

    name: str
    address: str
    behaviour: str
    doing: str = "starting"
    since: float = field(default_factory=time.monotonic)
    merged: int = 0
    paid: int = 0
    slashed: int = 0


@dataclass
class RoundStory:
    """One round. `proof_cpu_s`: of the proof that was accepted."""

    round: int
    submitted: int = 0
    merged: tuple[int, ...] | None = None
    skipped: bool = False
    reference: bool = False
    accuracy: float | None = None
    proof_cpu_s: float | None = None


class Story:
    """Takes events and log lines; `news` are lines that a plain display prints, in order."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = {part.name: part for part in parts}
        self._by_address = {part.address: part for part in parts}
        self.rounds: dict[int, RoundStory] = {}
        self.ending = ""
        self.news: list[str] = []
        self.first_aggregator_joined = False
        self._trainers: dict[int, str] = {}  # name by slot

    def event(self, event: e.Event) -> None:
        """The chain's word."""
        match event:
            case e.TrainerJoined():
                self._trainers[event.number] = self._name(event.trainer)
                self.news.append(f"{self._name(event.trainer)} joined as number {event.number}")
            case e.AggregatorJoined():
                self.first_aggregator_joined = True
                self.news.append(f"{self._name(event.aggregator)} joined as number {event.index}")
            case e.RoundOpened():
                self.rounds[event.round] = RoundStory(event.round)
                self.news.append(f"round {event.round} is open")
            case e.ValidationRevealed():
                self.news.append("the owner reveals its validation set")
            case e.ProjectEnded():
                self.ending = event.status.name.lower()
                self.news.append(f"the project is {self.ending}")
            case _:
                self._in_round(event)

    def _in_round(self, event: e.Event) -> None:
        match event:
            case e.UpdateSubmitted():
                self.rounds[event.round].submitted += 1
            case e.ReferenceSubmitted():
                self.rounds[event.round].reference = True
            case e.ResultPosted():
                self._result(event)
            case e.RoundSkipped():
                self.rounds[event.round].skipped = True
                self.news.append(f"round {event.round} is skipped: too few updates")
            case e.UpdatesComplained():
                names = [self._trainers.get(slot, "the owner") for slot in members(event.slots)]
                self.news.append(f"round {event.round}: complaint about {', '.join(names)}")
            case e.UpdateWithheld():
                self._part(event.trainer).slashed += event.paid
                self.news.append(f"round {event.round}: {self._name(event.trainer)} did not answer")
            case e.TrainerStruck():
                self._part(event.trainer).slashed += event.slashed
                self.news.append(f"round {event.round}: {self._name(event.trainer)} is struck")
            case e.AggregatorTimedOut():
                self._part(event.aggregator).slashed += event.slashed
                self.news.append(f"round {event.round}: {self._name(event.aggregator)} timed out")
            case e.Challenged():
                self.news.append(f"round {event.round} is challenged by {self._name(event.challenger)}")
            case e.RoundUndone():
                self._part(event.aggregator).slashed += event.slashed
                self.news.append(f"round {event.round} is undone, and will be done again")

    def model(self, model: RoundModel) -> None:
        """The owner's score of a round's model."""
        self.rounds[model.round].accuracy = model.accuracy
        if model.accuracy is None:
            self.news.append(f"round {model.round}: the model cannot be had: {model.problem}")
        else:
            self.news.append(f"round {model.round}: accuracy {model.accuracy:.4f}")

    def log_line(self, name: str, line: dict[str, Any]) -> None:
        """A party's own word."""
        pattern = _DOING.get(str(line.get("event")))
        if pattern is None:
            return
        doing = pattern.format_map(_Gaps(line))
        part = self.parts[name]
        part.doing, part.since = doing, time.monotonic()
        if line["event"] in ("proving", "proved", "moved on", "refused"):
            self.news.append(f"{name}: {doing}")
        if line["event"] == "proved" and line.get("round") in self.rounds:
            self.rounds[line["round"]].proof_cpu_s = line.get("cpu_s")

    def _result(self, event: e.ResultPosted) -> None:
        merged = members(event.merged)
        self.rounds[event.round].merged = merged
        names = [self._trainers.get(slot, "?") for slot in merged]
        for name in names:
            if name in self.parts:
                self.parts[name].merged += 1
        for slot, amount in enumerate(event.amounts):
            if amount:
                self.parts[self._trainers[slot]].paid += amount
        left_out = [name for slot, name in sorted(self._trainers.items()) if slot not in merged]
        self.news.append(
            f"round {event.round} has its result: {len(merged)} merged, not merged: {', '.join(left_out) or 'nobody'}"
        )

    def _part(self, address: str) -> Part:
        return self._by_address[address]

    def _name(self, address: str) -> str:
        part = self._by_address.get(address)
        return part.name if part else address


class _Gaps(dict[str, Any]):
    """Fields of a log line; one that it lacks reads as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


class LogReader:
    """Reads the whole lines that were added to a log since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[dict[str, Any]]:
        """New log lines; one that is not JSON is left out."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._offset += len(whole) + 1
        return [found for line in whole.splitlines() if (found := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
