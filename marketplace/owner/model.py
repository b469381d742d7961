"""The model that a project has trained, fetched and held against the chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.models import current_model, fetch_reference
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.whole_files import whole_file

_AT_HAND_S = 0.5  # where our storage has it, or one that it is connected to
_FETCH_S = 60.0


@dataclass(frozen=True)
class FetchedModel:
    """A global model whose commitment is the chain's."""

    round: int
    cid: str  # of the model, on the sketch path of a round's manifest
    commitment: tuple[int, int]  # on the sketch path (root, J)
    weights: NDArray[np.float64]


def fetch_model(context: ProjectContext, peers: PeerBook) -> FetchedModel:
    """The newest model of the project. Raises UNAVAILABLE, INTEGRITY."""
    block = context.client.latest_block().number
    project = context.client.project(context.project, block=block)
    reference = current_model(context, project, block)
    try:
        model = fetch_reference(context, reference, _AT_HAND_S)
    except FairshareError as error:
        if error.reason is not Reason.UNAVAILABLE:
            raise
        peers.connect_to_owner()
        for index in range(project.aggregator_count):
            peers.connect_to(index)
        model = fetch_reference(context, reference, _FETCH_S)
    return FetchedModel(reference.round, reference.cid, reference.commitment, context.weights(model))


def write_npz(path: Path, weights: NDArray[np.float64]) -> None:
    """Writes `weights` (float64[d]) as an .npz, whole or not at all. Raises BAD_INPUT where it cannot."""
    try:
        with whole_file(path) as file:
            np.savez(file, weights=weights)
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{path} cannot be written: {error.strerror}", "name another file"
        ) from error
