"""From opened updates to the result of a round: judge, prove, merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.types import RoundResult
from marketplace.node.project import ProjectContext
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Judgement, judge, mask
from marketplace.updates.codec import pack_model

Update = NDArray[np.int16]


@dataclass(frozen=True)
class Merge:
    """A judged round before its proof: everything that follows from the opened updates."""

    round: int
    omitted: tuple[int, ...]
    updates: dict[int, Update]
    gram: Gram
    judgement: Judgement
    model: NDArray[np.int32]

    def packed_model(self) -> bytes:
        """The new global model as it is published."""
        return pack_model(self.model)


def merge(
    context: ProjectContext,
    round_: int,
    model: NDArray[np.int32],
    updates: Mapping[int, Update],
    submitted: Mapping[int, int],
) -> Merge:
    """Judge and merge a round; `submitted`: by slot, the position of its submission; `updates`: those that opened."""
    slots = context.rules.slots
    omitted = tuple(sorted(set(submitted) - set(updates)))
    matrix = gram([updates.get(slot) for slot in range(slots)])
    positions = [submitted.get(slot, 0) for slot in range(slots)]
    judgement = judge(context.rules, matrix, submitted, omitted, positions)
    merged_model = apply_updates(model, [updates[slot] for slot in judgement.merged])
    return Merge(round_, omitted, dict(updates), matrix, judgement, merged_model)


def round_result(merged: Merge, model_digest: bytes, proof: bytes) -> RoundResult:
    """What `postResult` takes."""
    judgement = merged.judgement
    return RoundResult(
        round=merged.round,
        omitted=mask(merged.omitted),
        merged=mask(judgement.merged),
        median_score_slot=judgement.median_score_slot,
        median_norm_slot=judgement.median_norm_slot,
        model=model_digest,
        neighbours=tuple(mask(near) for near in judgement.neighbours),
        gram=tuple(to_felt(entry) for entry in merged.gram.triangle),
        proof=proof,
    )
