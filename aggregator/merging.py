"""From opened updates to what is posted: Gram matrix, judgement, model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.behaviour import Behaviour
from aggregator.path import Input, Made
from marketplace.chain.types import Arrivals, Project, RoundResult
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Judgement, Rules, judge, mask
from marketplace.updates.codec import pack_model
from zk import curve
from zk.curve import Point

HONEST = Behaviour()


@dataclass(frozen=True)
class Merge:
    """A judged cohort's round before its proof: everything that follows from the opened updates."""

    gram: Gram
    judgement: Judgement
    model: NDArray[np.int32]

    def packed_model(self) -> bytes:
        """The new global model as it is published."""
        return pack_model(self.model)


def merge(
    rules: Rules,
    model: NDArray[np.int32],
    updates: Mapping[int, Input],
    positions: Sequence[int],
    behaviour: Behaviour = HONEST,
) -> Merge:
    """Judge and merge a round.

    `updates`: those that count, by slot, the owner's reference in slot K; `positions`: of arrival, by slot.
    """
    matrix, judgement = judged(rules, updates, positions, behaviour)
    merged = apply_updates(model, [updates[slot].update for slot in judgement.merged])
    return Merge(matrix, judgement, merged)


def judged(
    rules: Rules, updates: Mapping[int, Input], positions: Sequence[int], behaviour: Behaviour = HONEST
) -> tuple[Gram, Judgement]:
    """The Gram matrix that is posted, and what the rules make of it. Arguments as of `merge`.

    Never raises FarPair for an honest aggregator: G is that of integer vectors (docs/proof.md).
    """
    trainers = [slot for slot in sorted(updates) if slot < rules.slots]
    matrix = behaviour.gram(gram_of(rules, updates), set(trainers))
    return matrix, judge(rules, matrix, trainers, positions, reference_present=rules.slots in updates)


def gram_of(rules: Rules, updates: Mapping[int, Input]) -> Gram:
    """The Gram matrix of a circuit's inputs: K, and with the reference rule the reference."""
    return gram([updates[slot].update if slot in updates else None for slot in range(inputs_of(rules))])


def commitments_of(rules: Rules, updates: Mapping[int, Input], zero: Point) -> bytes:
    """64 bytes for each of the circuit's inputs, C_0 (`zero`) for absent ones: what a proof begins with."""
    points = (updates[slot].commitment if slot in updates else zero for slot in range(inputs_of(rules)))
    return b"".join(curve.to_bytes(point) for point in points)


def inputs_of(rules: Rules) -> int:
    """How many inputs the circuit has."""
    return rules.slots + rules.reference


def round_result(
    project: Project, cohort: int, made: Made | Merge, arrivals: Arrivals, model_digest: bytes, proof: bytes
) -> RoundResult:
    """What the result says, made on the model of `project`; on the sketch path `model_digest` is the manifest's."""
    judgement = made.judgement
    return RoundResult(
        round=project.round,
        cohort=cohort,
        merged=mask(judgement.merged),
        median_score_slot=judgement.median_score_slot,
        median_norm_slot=judgement.median_norm_slot,
        model=model_digest,
        before=curve.x_bytes(project.model),
        neighbours=tuple(mask(near) for near in judgement.neighbours),
        gram=tuple(to_felt(entry) for entry in made.gram.triangle),
        arrivals=arrivals,
        proof=proof,
    )
