"""What the chain paid, round by round, beside the updates that it was paid for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from offchain.training import Model, Update

from aggregator.kept import Kept
from marketplace.chain.events import (
    Claimed,
    Event,
    ResultPosted,
    RoundSkipped,
    RoundUndone,
    TrainerStruck,
    fetch,
)
from marketplace.chain.types import Settlement
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.outcomes import posted_result
from marketplace.node.project import ProjectContext
from marketplace.protocol import fixed_point, shares
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import judge, mask, members
from marketplace.storage.cid import from_digest
from zk.curve import Point


@dataclass(frozen=True)
class PaidRound:
    """A round's result as the chain has it. `model`: that it started from; `updates`: the trainers'."""

    round: int
    model: Model
    updates: list[Update]
    pot: int
    amounts: tuple[int, ...]
    merged: tuple[int, ...]
    struck: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Of model and updates: equal where two projects' rounds were the same."""
        return hashlib.sha256(self.model.tobytes() + np.array(self.updates).tobytes()).hexdigest()


@dataclass
class Ledger:
    """Follows one project of one cohort. `journal`: the aggregator's, which forgets a round two rounds later."""

    context: ProjectContext
    journal: Journal
    rounds: list[PaidRound] = field(default_factory=list)

    def look(self) -> None:
        """Reads the results that are new. Raises INTEGRITY where one is not, to the wei, what the updates give."""
        results = fetch(self.context.client, [ResultPosted], self.context.project)
        for event in results[len(self.rounds) :]:
            self.rounds.append(self._read(event, results[: len(self.rounds)]))

    def close(self, rounds: int) -> None:
        """After the end: every round was paid, and everybody has collected just what its results gave."""
        client, number = self.context.client, self.context.project
        unplanned: list[Event] = fetch(client, [RoundUndone, RoundSkipped], number)
        if unplanned or [paid.round for paid in self.rounds] != list(range(1, rounds + 1)):
            raise _unlike(f"rounds of project {number} were not paid as planned")
        collected: dict[str, int] = {}
        for event in fetch(client, [Claimed], number):
            collected[event.account] = collected.get(event.account, 0) + event.amount
        for index, trainer in enumerate(client.trainers(number)):
            due = sum(paid.amounts[index] for paid in self.rounds)
            if collected.get(trainer, 0) != due:
                raise _unlike(f"trainer {index} collected {collected.get(trainer, 0)}, not {due}")

    def _read(self, event: ResultPosted, before: list[ResultPosted]) -> PaidRound:
        context, rules, terms = self.context, self.context.rules, self.context.terms
        where = f"round {event.round} of project {context.project}"
        rows = self._updates(event.round, where)
        matrix = gram(rows)
        posted = posted_result(context.client, context.project, event)
        if tuple(to_felt(entry) for entry in matrix.triangle) != tuple(posted.gram):
            raise _unlike(f"the Gram matrix of {where} is not its updates'")
        slots = range(rules.slots)
        verdict = judge(
            rules, matrix, slots, range(1, rules.slots + 1), reference_present=len(rows) > rules.slots
        )
        pot = self._pot(event)
        if shares.amounts(verdict, pot, terms.reference_share) != tuple(event.amounts):
            raise _unlike(f"the amounts of {where} are not those of the judge off chain")
        struck = verdict.struck if terms.settlement is Settlement.PROVED else ()  # unproved, nobody is struck
        if (mask(verdict.merged), mask(struck)) != (event.merged, event.struck):
            raise _unlike(f"who is merged or struck in {where} is not as the judge off chain has it")
        model = self._model(before)
        after = fixed_point.apply_updates(model, [rows[slot] for slot in verdict.merged])
        if not np.array_equal(after, self._model([*before, event])):
            raise _unlike(f"the model of {where} is not the one of its merged updates")
        return PaidRound(
            event.round,
            model,
            rows[: rules.slots],
            pot,
            tuple(event.amounts),
            members(event.merged),
            members(event.struck),
        )

    def _updates(self, round_: int, where: str) -> list[Update]:
        """As the aggregator opened them, the reference last."""
        rules = self.context.rules
        kept = Kept(self.journal, self.context.project, round_)
        rows = [kept.update(0, slot, self.context.length) for slot in range(rules.slots + rules.reference)]
        found = [opened.update for opened in rows if opened is not None]
        if len(found) < len(rows):
            raise FairshareError(
                Reason.INTERNAL, f"an update is missing in {where}", "run it again on a machine less busy"
            )
        return found

    def _pot(self, event: ResultPosted) -> int:
        """What the result had to give: the round's budget, and the stakes it slashed itself."""
        terms = self.context.terms
        budget = shares.round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
        struck = fetch(self.context.client, [TrainerStruck], self.context.project, event.round)
        return budget + event.pot + sum(strike.slashed for strike in struck)

    def _model(self, results: list[ResultPosted]) -> Model:
        """The model after these results, from the content store, checked against the chain's commitment."""
        context = self.context
        if not results:
            return context.fetch_model(context.spec.initial_model, context.terms.initial_model)
        last = results[-1]
        return context.fetch_model(from_digest(last.model), Point(last.x, last.y))


def _unlike(message: str) -> FairshareError:
    return FairshareError(Reason.INTEGRITY, message, "this is a fault of the market: report it")
