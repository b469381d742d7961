"""A project's events as lines for its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marketplace.chain import events as e
from marketplace.owner.watch import RoundModel
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest


class RoundsShown:
    """Says each event as a line, and remembers the rounds. `slots`: K; `merged` holds seats, cohort * K + slot."""

    def __init__(self, say: Callable[[str], None], slots: int) -> None:
        self._say = say
        self._slots = slots
        self._rounds: dict[int, dict[str, Any]] = {}
        self.ending = ""

    def rounds(self) -> list[dict[str, Any]]:
        """What each round came to, in order."""
        return [self._rounds[number] for number in sorted(self._rounds)]

    def event(self, event: e.Event) -> None:
        """Says what happened."""
        match event:
            case e.TrainerJoined():
                self._say(f"trainer {event.trainer} joined as number {event.number}")
            case e.AggregatorJoined():
                self._say(f"aggregator {event.aggregator} joined as number {event.index}")
            case e.ProjectEnded():
                self.ending = event.status.name.lower()
                self._say(f"the project is {self.ending}")
            case e.ValidationRevealed():
                self._say(f"the validation set is revealed: {from_digest(event.validation)}")
            case e.ResultPosted() | e.RoundSkipped():
                self._concluded(event)
            case _:
                self._in_round(event)

    def _concluded(self, event: e.ResultPosted | e.RoundSkipped) -> None:
        known = self._rounds.setdefault(
            event.round, {"round": event.round, "merged": [], "accuracy": None, "undone": False}
        )
        if isinstance(event, e.RoundSkipped):
            self._say(f"round {event.round}: cohort {event.cohort} is skipped, too few updates")
            return
        merged = members(event.merged)
        known["merged"] = [*known["merged"], *(self._seat(event.cohort, slot) for slot in merged)]
        self._say(f"round {event.round}: result of cohort {event.cohort}, merged slots {list(merged)}")

    def _in_round(self, event: e.Event) -> None:
        match event:
            case e.RoundOpened():
                self._say(f"round {event.round} is open")
            case e.UpdateSubmitted():
                self._say(f"round {event.round}: slot {event.slot} of cohort {event.cohort} submitted")
            case e.ReferenceSubmitted():
                self._say(f"round {event.round}: the reference is submitted")
            case e.UpdatesComplained():
                self._say(f"round {event.round}: complaint about slots {list(members(event.slots))}")
            case e.UpdateWithheld():
                self._say(f"round {event.round}: trainer {event.trainer} did not answer")
            case e.TrainerStruck():
                self._say(f"round {event.round}: trainer {event.trainer} is struck")
            case e.AggregatorTimedOut():
                self._say(f"round {event.round}: aggregator {event.aggregator} timed out")
            case e.Challenged():
                self._say(f"round {event.round} is challenged: {event.kind.name.lower()}")
            case e.RoundUndone():
                if event.round in self._rounds:
                    self._rounds[event.round]["undone"] = True
                self._say(f"round {event.round} is undone, and will be done again")

    def _seat(self, cohort: int, slot: int) -> int:
        return cohort * self._slots + slot

    def model(self, model: RoundModel) -> None:
        """Says how good a round's model is."""
        self._rounds[model.round] |= {"accuracy": model.accuracy, "model": model.cid}
        if model.problem:
            self._say(f"round {model.round}: model {model.cid} cannot be had: {model.problem}")
        elif model.accuracy is not None:
            self._say(f"round {model.round}: accuracy {model.accuracy:.4f}")
