"""Which global model a round starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import ResultPosted, fetch
from marketplace.chain.types import Project
from marketplace.node.project import FETCH_S, ProjectContext
from marketplace.storage.cid import from_digest
from zk.curve import Point


@dataclass(frozen=True)
class ModelReference:
    """A published model: where it is and what the chain holds it to."""

    round: int  # that made it; 0: the initial model
    cid: str
    commitment: Point


def current_model(context: ProjectContext, project: Project, block: int) -> ModelReference:
    """The model that `project`, read at `block`, stands at."""
    results = fetch(context.client, [ResultPosted], context.project, to_block=block)
    if not results:
        return ModelReference(0, context.spec.initial_model, context.terms.initial_model)
    last = results[-1]
    return ModelReference(last.round, from_digest(last.model), project.model)


def fetch_current(
    context: ProjectContext, project: Project, block: int, timeout_s: float = FETCH_S
) -> NDArray[np.int32]:
    """The current global model, int32[d], checked against the chain's commitment."""
    reference = current_model(context, project, block)
    return context.fetch_model(reference.cid, reference.commitment, timeout_s)
