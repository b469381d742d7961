"""Projects whose models are for members only, on the stepped market: what was published, who opens it, and lies."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import ResultPosted
from marketplace.node.keyring import KeyRing
from marketplace.node.members import recipients_of_round
from marketplace.node.project import ProjectContext
from marketplace.storage.cid import from_digest
from marketplace.updates.sealed_model import NONCE_BYTES, Seal, new_seal, open_model, seal_model
from marketplace.updates.sealing import EncryptionKey, seal_key
from tests.support.stepped_market import OWNER, Play

SEALED: dict[str, object] = {"project__visibility": "members"}

Publish = Callable[[bytes], bytes]


def owner_key(game: Play) -> EncryptionKey:
    """The owner's, as posting left it."""
    context = game.aggregators[0].context
    assert context.spec.sealing is not None
    found = KeyRing(game.ground.folder / f"account-{OWNER}").find(context.spec.sealing.key)
    assert found is not None
    return found


def members(game: Play) -> dict[str, EncryptionKey]:
    """The keys of all whose nodes run, and the owner's."""
    trainers = {f"trainer {index}": trainer.key for index, trainer in game.trainers.items()}
    aggregators = {f"aggregator {index}": hand.key for index, hand in enumerate(game.aggregators)}
    return trainers | aggregators | {"owner": owner_key(game)}


def files(game: Play) -> dict[int, bytes]:
    """What results name, by round."""
    posted: list[Any] = game.events(ResultPosted)
    return {event.round: game.ground.store.blobs[from_digest(event.model)] for event in posted}


def opened(game: Play, round_: int, key: EncryptionKey) -> NDArray[np.int32]:
    """The model that a round made, opened with this key and no context but the project's."""
    context = game.aggregators[0].context
    return open_model(files(game)[round_], key, context.model_context(round_), context.length)


def honest(context: ProjectContext, round_: int) -> Publish:
    """Seals as our aggregator does."""
    return lambda packed: seal_model(packed, new_seal(_due(context, round_)), context.model_context(round_))


def without(context: ProjectContext, round_: int, victim: bytes) -> Publish:
    """Leaves a member out."""
    due = [key for key in _due(context, round_) if key != victim]
    return lambda packed: seal_model(packed, new_seal(due), context.model_context(round_))


def falsely(context: ProjectContext, round_: int, victim: bytes) -> Publish:
    """Gives one member another content key than the others."""
    content_key, due = bytes(range(32)), sorted(_due(context, round_))
    boxes = [key + seal_key(bytes(32) if key == victim else content_key, key) for key in due]
    head = b"".join((struct.pack(">4sH", b"FSM1", len(due)), *boxes, bytes(NONCE_BYTES)))
    return lambda packed: seal_model(packed, Seal(content_key, head), context.model_context(round_))


def _due(context: ProjectContext, round_: int) -> tuple[bytes, ...]:
    assert context.spec.sealing is not None
    return recipients_of_round(context.client, context.project, round_, context.spec.sealing.key)
