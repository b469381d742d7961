"""A project's events as lines for its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marketplace.chain import events as e
from marketplace.owner.watch import RoundModel


class RoundsShown:
    """Says each event as a line, and remembers the rounds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rounds: dict[int, dict[str, Any]] = {}
        self.ending = ""

    def rounds(self) -> list[dict[str, Any]]:
        """What each round came to, in order."""
        return [self._rounds[number] for number in sorted(self._rounds)]

    def event(self, event: e.Event) -> None:
        """Says what happened."""
        match event:
            case e.TrainerJoined():
                self._say(f"trainer {event.trainer} took slot {event.slot}")
            case e.AggregatorJoined():
                self._say(f"aggregator {event.aggregator} joined as number {event.index}")
            case e.RoundOpened():
                self._say(f"round {event.round} is open")
            case e.UpdateSubmitted():
                self._say(f"round {event.round}: slot {event.slot} submitted")
            case e.ResultPosted():
                merged = [slot for slot in range(16) if event.merged >> slot & 1]
                self._rounds[event.round] = {"round": event.round, "merged": merged, "accuracy": None}
                self._say(f"round {event.round}: proven; merged slots {merged}")
            case e.RoundSkipped():
                self._rounds[event.round] = {"round": event.round, "merged": [], "accuracy": None}
                self._say(f"round {event.round}: skipped, too few updates")
            case e.TrainerStruck():
                self._say(f"round {event.round}: trainer {event.trainer} is struck")
            case e.AggregatorTimedOut():
                self._say(f"round {event.round}: aggregator {event.aggregator} timed out")
            case e.ProjectEnded():
                self.ending = event.status.name.lower()
                self._say(f"the project is {self.ending}")

    def model(self, model: RoundModel) -> None:
        """Says how good a round's model is."""
        self._rounds[model.round] |= {"accuracy": model.accuracy, "model": model.cid}
        if model.problem:
            self._say(f"round {model.round}: model {model.cid} cannot be had: {model.problem}")
        elif model.accuracy is not None:
            self._say(f"round {model.round}: accuracy {model.accuracy:.4f}")
