"""Which global model a round starts from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import ChallengeAnswered, Event, ResultPosted, RoundUndone, fetch
from marketplace.chain.types import ChallengeKind, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.lagging import lagging
from marketplace.node.manifests import fetch_by_manifest, fetch_manifest
from marketplace.node.project import FETCH_S, ProjectContext
from marketplace.storage.cid import cid_of, from_digest
from marketplace.storage.reasons import Purpose
from marketplace.updates.codec import pack_model, packed_model_bytes
from marketplace.updates.leaves import leaves_bytes
from marketplace.updates.manifest import MAX_MANIFEST_BYTES, Manifest
from marketplace.updates.sealed_model import most_sealed_bytes
from zk.curve import Point

_NOT_TO_BE_HAD = (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.NOT_FOUND)


@dataclass(frozen=True)
class ModelReference:
    """A published model: where it is and what the chain holds it to."""

    round: int  # that made it; 0: the initial model
    cid: str  # of the file: the packed model, or (but for the initial one) sealed, or on the sketch path its manifest
    commitment: Point  # on the sketch path (root, J)


def current_model(context: ProjectContext, project: Project, block: int) -> ModelReference:
    """The model that `project`, read at `block`, stands at.

    Raises UNAVAILABLE where the results are not those of the project's model: the chain was reorganised between the
    two, or the endpoint's events lag behind its state. That is no lie of whoever published a model.
    """
    events: list[Event] = fetch(context.client, [ResultPosted, RoundUndone], context.project, to_block=block)
    last = last_standing(events)
    if last is None:
        reference = ModelReference(0, context.spec.initial_model, context.terms.initial_model)
    else:
        reference = ModelReference(last.round, from_digest(last.model), Point(last.x, last.y))
    if reference.commitment != project.model:
        raise lagging(
            context.client,
            "the results that the endpoint serves are not those of the model that the chain holds",
        )
    return reference


def last_standing(events: Iterable[Event]) -> ResultPosted | None:
    """The latest result that changed the model and was not undone; `events` in the chain's order."""
    standing: list[ResultPosted] = []
    for event in events:
        if isinstance(event, RoundUndone):
            standing = [result for result in standing if result.round != event.round]
        elif isinstance(event, ResultPosted) and event.merged:
            standing.append(event)
    return standing[-1] if standing else None


def current_manifest(
    context: ProjectContext, project: Project, block: int, timeout_s: float = FETCH_S
) -> Manifest | None:
    """The manifest of the model that `project`, read at `block`, stands at; None where it has none.

    That is on the exact path, and the initial model. Raises UNAVAILABLE, INTEGRITY.
    """
    reference = current_model(context, project, block)
    if not context.is_sketched or reference.round == 0:
        return None
    return fetch_manifest(context, reference.cid, timeout_s)


def fetch_reference(
    context: ProjectContext, reference: ModelReference, timeout_s: float = FETCH_S
) -> NDArray[np.int32]:
    """The model of a reference, int32[d], checked against its commitment. Raises UNAVAILABLE, INTEGRITY.

    NOT_FOUND where it is sealed to members, and we have no key that it is due to.
    """
    if context.is_sketched and reference.round:
        return fetch_by_manifest(context, reference.cid, reference.commitment, timeout_s)
    return context.fetch_model(reference.cid, reference.commitment, timeout_s, round_=reference.round)


def keep_model(context: ProjectContext, reference: ModelReference, timeout_s: float = FETCH_S) -> None:
    """Keep all that a published model consists of: on the sketch path its manifest, which is fetched, and all leaves.

    The rest is written down and comes when it comes. Raises UNAVAILABLE, INTEGRITY.
    """
    why = context.why(reference.round, Purpose.MODEL)
    model_bytes = packed_model_bytes(context.length)
    if context.is_sealed and reference.round:
        context.store.keep(reference.cid, most_sealed_bytes(context.length), why)
        return
    if not context.is_sketched or reference.round == 0:
        context.store.keep(reference.cid, model_bytes, why)
        return
    manifest = fetch_manifest(context, reference.cid, timeout_s)
    context.store.keep(reference.cid, MAX_MANIFEST_BYTES, why)
    context.store.keep(manifest.model, model_bytes, why)
    context.store.keep(manifest.leaves, leaves_bytes(context.chunks), why)
    if manifest.updates is not None:
        context.store.keep(manifest.updates, context.terms.slots * leaves_bytes(context.chunks), why)


def fetch_current(
    context: ProjectContext, project: Project, block: int, timeout_s: float = FETCH_S
) -> NDArray[np.int32]:
    """The current global model, int32[d], checked against the chain's commitment.

    Where storage does not have it, or has something else under its name, or it does not open for us, but it was put on
    chain to answer a challenge, it is read from there and, unless it is sealed, handed to our storage node.

    On the sketch path its bytes are those under the chain's root (`marketplace.node.manifests`); whether the root's
    points are of these bytes is what members check once a round.
    """
    reference = current_model(context, project, block)
    try:
        return fetch_reference(context, reference, timeout_s)
    except FairshareError as error:
        if context.is_sketched or error.reason not in _NOT_TO_BE_HAD:
            raise  # no challenge there puts a whole model on chain
        answered = _answered(context, reference, block)
        if answered is None:
            raise
    packed = pack_model(answered)
    if cid_of(packed) == reference.cid:
        context.store.add(packed, context.why(reference.round, Purpose.MODEL))
    return answered


def _answered(context: ProjectContext, reference: ModelReference, block: int) -> NDArray[np.int32] | None:
    """The model as a challenge's answer put it on chain."""
    if reference.round == 0:
        return None
    for event in fetch(context.client, [ChallengeAnswered], context.project, reference.round, to_block=block):
        if event.kind is ChallengeKind.MODEL and len(event.packed) == 4 * context.length:
            model = np.frombuffer(event.packed, dtype="<i4").astype(np.int32)
            if context.committer.commit(model) == reference.commitment:
                return model
    return None
