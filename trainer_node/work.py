"""One round's work of a trainer: train, quantise, commit, seal."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.checks import check_combination
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.private import private_delta
from marketplace.learning.train import local_delta
from marketplace.node.project import ProjectContext
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry, Work
from marketplace.node.vectors import commit
from marketplace.protocol.digests import update_digest
from marketplace.protocol.fixed_point import clip, padded, quantise
from marketplace.spec.cutting import sure_norm_squared
from marketplace.updates.envelope import seal
from trainer_node.behaviour import Behaviour
from trainer_node.flower.client import FlowerClient
from trainer_node.prepared import Own, Prepared
from trainer_node.privacy_budget import Paid


def prepare(
    context: ProjectContext,
    round_: int,
    model: NDArray[np.int32],
    dataset: Dataset,
    behaviour: Behaviour,
    *,
    trainer: str,
    seed: int,
    device: str,
    aggregator_index: int,
    aggregator_key: bytes,
    paid: Paid | None = None,
    flower: FlowerClient | None = None,
    engine: Engine = PLAIN,
    telemetry: Telemetry = NO_TELEMETRY,
) -> Prepared:
    """Train on `dataset` from the global `model`, int32[context.length], and make the update ready for submission.

    `paid`: with this noise. `flower`: trains in our place. Else a function of its arguments up to the sealing, which
    draws a fresh key. Raises BAD_DATA where training diverges, BAD_INPUT where the Flower client fails, or for an
    `engine` that does not go with the recipe, or with noise.
    """
    round_seed = seed_of(seed, round_)
    data = behaviour.dataset(dataset, context.task.classes)
    task, weights, training = context.task, context.weights(model), context.spec.training
    with telemetry.at_work(Work.TRAINING):
        if flower is not None:
            delta = flower.delta(task, weights, training, round_seed, round_)
        elif paid is None:
            delta = local_delta(
                task, weights, data, training, round_seed, device, 1, engine, context.spec.task
            )
        else:
            check_combination(engine, training, private=True)
            delta = private_delta(task, weights, data, training, paid.noise, paid.secret, device, threads=1)
    clipped = clip(delta, training.clip_norm)
    honest = quantise(clipped, context.spec.arithmetic.scale_bits, context.spec.divisor)
    if not honest.any() and delta.any():
        raise FairshareError(
            Reason.BAD_DATA,
            "the whole update rounds to zero at this project's scale",
            "train on more data, or ask the owner for more arithmetic.scale_bits",
        )
    bound = sure_norm_squared(context.terms.max_norm_squared, context.width if context.is_sketched else None)
    update = behaviour.update(honest, bound, round_seed)
    with telemetry.at_work(Work.COMMITTING):
        made = behaviour.committed(commit(context, padded(update, context.length)))
    bound_to = context.update_context(round_, trainer)
    sealed = seal(made.packed(), made.commitment, aggregator_key, bound_to)
    return Prepared.of(
        round_,
        update_digest(*made.commitment, trainer),
        aggregator_index,
        Own(made.update, made.commitment, sealed.blob, sealed.content_key, made.leaves),
    )


def seed_of(seed: int, round_: int) -> int:
    """A round's seed, below 2^32, from the trainer's own."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{round_}".encode()).digest()[:4], "big")
