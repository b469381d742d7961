"""What is published of a model: its bytes, or, where models are for members only, sealed to those of its round."""

from __future__ import annotations

import hashlib

from marketplace.node.daemon import ProjectDaemon
from marketplace.node.members import recipients_of_round
from marketplace.updates.sealed_model import Seal, new_seal, seal_model

SEAL = "seal:"  # journal, of the round: by the packed model's hash, its content key and envelopes


def published(node: ProjectDaemon, round_: int, packed: bytes) -> bytes:
    """The file of the model that `round_` makes; the same bytes however often it is asked for, and after a restart.

    A key seals one model only, so another model of the same round (another cohort's, or one that an answer changed)
    has its own. Raises UNAVAILABLE where the chain does not say who the members are.
    """
    context = node.context
    if context.spec.sealing is None:
        return packed
    name = SEAL + hashlib.sha256(packed).hexdigest()
    kept = node.journal.get_blob(context.project, round_, name)
    if kept is None:
        keys = recipients_of_round(context.client, context.project, round_, context.spec.sealing.key)
        kept = new_seal(keys).to_bytes()
        node.journal.put_blob(context.project, round_, name, kept)  # before anything of it leaves
    return seal_model(packed, Seal.from_bytes(kept), context.model_context(round_))
