"""What a round's result had to bring about: judgement, strikes, amounts, the model's commitment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marketplace.chain.events import UpdateSubmitted
from marketplace.chain.types import RoundResult, Terms
from marketplace.node.project import rules_of
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, judge, members
from marketplace.protocol.shares import amounts, round_budget, shares, strike_loss
from zk.curve import Point, moved


@dataclass(frozen=True)
class Settlement:
    """The outcome of a round by the rules of docs/protocol.md. Sequences are by slot, amounts in the token's unit.

    `pot` = `budget` + what time-outs of the round brought + what its strikes brought. `shares`: millionths.
    """

    gram: Gram
    judgement: Judgement
    budget: int
    losses: Mapping[int, int]  # of the struck
    pot: int
    amounts: tuple[int, ...]
    shares: tuple[int, ...]
    model: Point


def settle(
    terms: Terms,
    result: RoundResult,
    submissions: Sequence[UpdateSubmitted],
    stakes: Mapping[int, int],
    carried: int,
    model: Point,
    zero: Point,
) -> Settlement:
    """Settles a round from its posted Gram matrix and its submissions.

    `stakes`: what is left of each trainer's stake, by slot; `carried`: bonds that time-outs of the round
    brought; `model`: its commitment before the round. Raises ValueError where the numbers are no Gram matrix.
    """
    gram = Gram(terms.slots, tuple(from_felt(felt) for felt in result.gram))
    positions = [0] * terms.slots
    points = {}
    for submission in submissions:
        positions[submission.slot] = submission.position
        points[submission.slot] = Point(submission.x, submission.y)
    judgement = judge(rules_of(terms), gram, points, members(result.omitted), positions)
    losses = {
        slot: strike_loss(stakes.get(slot, 0), terms.trainer_stake, terms.strike_slash)
        for slot in judgement.struck
    }
    budget = round_budget(terms.reward, terms.rounds, terms.aggregator_fee)
    pot = budget + carried + sum(losses.values())
    return Settlement(
        gram=gram,
        judgement=judgement,
        budget=budget,
        losses=losses,
        pot=pot,
        amounts=amounts(judgement.contributions, pot),
        shares=shares(judgement.contributions),
        model=moved(model, [points[slot] for slot in judgement.merged], zero),
    )
