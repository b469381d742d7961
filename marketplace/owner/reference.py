"""The reference update: what a round of training on the owner's validation set would change.

A trainer's contribution is its update's inner product with it, to first order the Shapley value of the validation
loss (Wang et al., "Data Shapley in One Training Run", ICLR 2025). Everything it depends on but the validation set is
public, so whoever has the revealed set can make it again.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol.fixed_point import clip, dequantise, padded, quantise
from marketplace.spec import ProjectSpec


def reference_update(
    spec: ProjectSpec, task: Task, model: NDArray[np.int32], validation: Dataset, round_: int
) -> NDArray[np.int16]:
    """q_ref, int16: a trainer's recipe on the global `model`, int32, on the CPU; both as long as the circuit.

    Raises BAD_DATA where training diverges or the update rounds to zero.
    """
    weights = dequantise(model[: task.length], spec.arithmetic.scale_bits)
    delta = local_delta(task, weights, validation, spec.training, seed_of(spec, round_), "cpu", threads=1)
    update = quantise(clip(delta, spec.training.clip_norm), spec.arithmetic.scale_bits, spec.divisor)
    if not update.any():
        raise FairshareError(
            Reason.BAD_DATA,
            "the reference update rounds to zero at this project's scale",
            "this round is paid by the fallback rule; the next project needs a larger validation set",
        )
    return padded(update, spec.length)


def seed_of(spec: ProjectSpec, round_: int) -> int:
    """Of the order of the batches in a round, below 2^32: anyone can work it out."""
    name = f"fairshare/reference/{spec.training.seed}/{round_}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
