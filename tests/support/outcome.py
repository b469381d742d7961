"""What a finished project did, as the chain says."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    AggregatorTimedOut,
    Claimed,
    ResultPosted,
    RoundUndone,
    TrainerStruck,
    UpdateAnswered,
    UpdateWithheld,
    fetch,
)
from marketplace.node.seats import number_in_seat


@dataclass
class Outcome:
    """What a finished project did, by trainer's number. `results`: those that stand."""

    project: int
    trainers: list[str]
    paid: list[int]
    paid_by_round: list[list[int]]
    claimed: list[int]
    slashed: list[int]
    results: list[ResultPosted]
    timed_out: list[AggregatorTimedOut]
    withheld: list[UpdateWithheld]
    answered: list[UpdateAnswered]
    undone: list[RoundUndone]

    @property
    def total_paid(self) -> int:
        """Over all trainers."""
        return sum(self.paid)


def outcome_of(client: MarketClient, project: int) -> Outcome:
    """What the chain says of a project."""
    state = client.project(project)
    trainers = [str(trainer) for trainer in client.trainers(project)]
    undone = fetch(client, [RoundUndone], project)
    struck = fetch(client, [TrainerStruck], project)
    claimed = fetch(client, [Claimed], project)
    posted = fetch(client, [ResultPosted], project)
    results = [result for result in posted if result.round not in {event.round for event in undone}]
    by_round = [[0] * len(trainers) for _ in range(state.round)]
    for result in results:
        for slot, amount in enumerate(result.amounts):
            seat = result.cohort * len(result.amounts) + slot
            number = number_in_seat(state, result.round, seat)
            if number is not None:
                by_round[result.round - 1][number] = amount
    return Outcome(
        project,
        trainers,
        [sum(column) for column in zip(*by_round, strict=True)],
        by_round,
        [sum(e.amount for e in claimed if e.account == t) for t in trainers],
        [sum(e.slashed for e in struck if e.trainer == t) for t in trainers],
        results,
        fetch(client, [AggregatorTimedOut], project),
        fetch(client, [UpdateWithheld], project),
        fetch(client, [UpdateAnswered], project),
        undone,
    )
