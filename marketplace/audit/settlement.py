"""What a cohort's result had to bring about: judgement, strikes, amounts, the model's commitment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from marketplace.chain.types import RoundResult, ScoreRule, Terms
from marketplace.chain.types import Settlement as Mode
from marketplace.node.project import rules_of
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, judge
from marketplace.protocol.shares import BASIS_POINTS, amounts, round_budget, strike_loss
from zk.curve import SIZE, Point, from_bytes, moved


@dataclass(frozen=True)
class Settlement:
    """The outcome of a cohort's round by docs/protocol.md. Sequences are by slot, amounts in the token's unit.

    `pot` = `budget` + `carried` + what strikes brought; `along`: the part of it that goes by the reference. `moved`:
    the model's commitment after it; on the sketch path C_0 moved by the merged sketches, their sum.
    """

    gram: Gram  # with a reference, its last row is the owner's
    judgement: Judgement
    positions: tuple[int, ...]
    budget: int
    carried: int  # the pot before the result
    losses: Mapping[int, int]  # what the struck lose of their stakes
    pot: int
    along: int
    amounts: tuple[int, ...]
    moved: Point


def inputs(terms: Terms) -> int:
    """Inputs of the circuit: K, and one for the owner's reference."""
    return terms.slots + (terms.score_rule is ScoreRule.REFERENCE)


def commitments_in(terms: Terms, result: RoundResult) -> tuple[Point, ...]:
    """The commitments at the beginning of a result's proof; INTEGRITY where they are no points."""
    return tuple(from_bytes(result.proof[SIZE * i : SIZE * (i + 1)]) for i in range(inputs(terms)))


def settle(
    terms: Terms,
    result: RoundResult,
    *,
    cohorts: int,
    present: Collection[int],
    positions: Sequence[int],
    reference: bool,
    stakes: Mapping[int, int],
    carried: int,
    arrived: int | None,
    model: Point,
    zero: Point,
) -> Settlement:
    """Settles a cohort's round from its posted Gram matrix and commitments.

    `present`: slots with an update; `reference`: whether the owner's is there; `stakes`: what is left of each
    trainer's stake, by slot; `carried`: the pot before; `arrived`: what came in of the strikes, None: all of it;
    `model`: its commitment before, on the sketch path C_0. Raises FarPair; ValueError, INTEGRITY where the numbers
    are no Gram matrix or no points.
    """
    gram = Gram(inputs(terms), tuple(from_felt(felt) for felt in result.gram))
    points = commitments_in(terms, result)
    judgement = judge(rules_of(terms), gram, present, positions, reference_present=reference)
    # What is not proved takes nobody's stake, and that a sketch is an update's is not proved.
    proved = terms.settlement is Mode.PROVED and not terms.chunks
    losses = {
        slot: strike_loss(stakes.get(slot, 0), terms.trainer_stake, terms.strike_slash)
        for slot in (judgement.struck if proved else ())
    }
    budget = round_budget(terms.reward, terms.rounds, cohorts, terms.aggregator_fee)
    pot = budget + carried + (sum(losses.values()) if arrived is None else arrived)
    return Settlement(
        gram=gram,
        judgement=judgement,
        positions=tuple(positions),
        budget=budget,
        carried=carried,
        losses=losses,
        pot=pot,
        along=pot * terms.reference_share // BASIS_POINTS if judgement.by_reference else 0,
        amounts=amounts(judgement, pot, terms.reference_share),
        moved=moved(model, [points[slot] for slot in judgement.merged], zero),
    )
