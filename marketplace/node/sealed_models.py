"""Models of projects whose visibility is "members": opened with a member's key (docs/protocol.md, "Sealed models")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.members import recipients_of_round
from marketplace.updates.sealed_model import most_sealed_bytes, open_model

if TYPE_CHECKING:
    from marketplace.node.project import ProjectContext


def fetch_sealed(context: ProjectContext, cid: str, round_: int, timeout_s: float) -> NDArray[np.int32]:
    """The model int32[d] in the blob `cid`, made by `round_`; not held against its commitment.

    Raises NOT_FOUND where we have no key that it is due to; INTEGRITY where it is due to ours and does not open with
    it, whatever is wrong; UNAVAILABLE; TOO_LARGE.
    """
    if context.key is None:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"the models of project {context.project} are sealed to its members",
            "give a member's key: its keystore with its state directory, or --key",
        )
    blob = context.store.fetch(cid, max_bytes=most_sealed_bytes(context.length), timeout_s=timeout_s)
    try:
        return open_model(blob, context.key, context.model_context(round_), context.length)
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND or not is_due(context, round_):
            raise
        raise FairshareError(
            Reason.INTEGRITY,
            "it is not sealed to this member, who was one when its round opened",
        ) from error


def is_due(context: ProjectContext, round_: int) -> bool:
    """Whether the model of `round_` has to be sealed to our key."""
    if context.key is None or context.spec.sealing is None:
        return False
    due = recipients_of_round(context.client, context.project, round_, context.spec.sealing.key)
    return context.key.public in due
