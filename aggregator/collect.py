"""Fetch a round's sealed updates, open them and check each against its commitment."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import UpdateSubmitted
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import ProjectContext
from marketplace.storage.cid import from_digest
from marketplace.updates.envelope import open_update, sealed_update_bytes
from marketplace.updates.sealing import EncryptionKey
from zk.curve import Point

Update = NDArray[np.int16]

FETCHES_AT_ONCE = 8


@dataclass
class Collected:
    """What has come of a round so far, by slot."""

    updates: dict[int, Update] = field(default_factory=dict)
    unopenable: dict[int, str] = field(
        default_factory=dict
    )  # for good: its bytes are not what was committed to
    missing: dict[int, str] = field(default_factory=dict)  # nobody serves it yet


def collect(
    context: ProjectContext,
    submissions: Mapping[int, UpdateSubmitted],
    key: EncryptionKey,
    resealed: Mapping[int, bytes] | None,
    collected: Collected,
    *,
    timeout_s: float,
) -> None:
    """Try once for every update not yet collected.

    `resealed`: None for the aggregator to which the round's updates were sealed; after a take-over the keys sealed anew
    to us, by slot.
    """
    collected.missing.clear()
    wanted: dict[int, UpdateSubmitted] = {}
    for slot, submission in submissions.items():
        if slot in collected.updates or slot in collected.unopenable:
            continue
        if resealed is not None and slot not in resealed:
            collected.missing[slot] = "its key is not sealed to this aggregator yet"
        else:
            wanted[slot] = submission
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        blobs = {slot: pool.submit(_fetch, context, s.blob, timeout_s) for slot, s in wanted.items()}
    for slot, submission in wanted.items():
        try:
            blob = blobs[slot].result()
            collected.updates[slot] = _open(context, submission, blob, key, (resealed or {}).get(slot))
        except FairshareError as error:
            if error.reason is Reason.STORAGE_UNREACHABLE:
                raise
            by_slot = collected.unopenable if error.reason is Reason.INTEGRITY else collected.missing
            by_slot[slot] = error.message


def _fetch(context: ProjectContext, digest: bytes, timeout_s: float) -> bytes:
    limit = sealed_update_bytes(context.length)
    return context.store.fetch(from_digest(digest), max_bytes=limit, timeout_s=timeout_s)


def _open(
    context: ProjectContext,
    submission: UpdateSubmitted,
    blob: bytes,
    key: EncryptionKey,
    sealed: bytes | None,
) -> Update:
    update = open_update(
        blob,
        key,
        context.update_context(submission.round, submission.trainer, Point(submission.x, submission.y)),
        context.length,
        sealed_key=sealed,
    )
    if context.committer.commit(update) != (submission.x, submission.y):
        raise FairshareError(Reason.INTEGRITY, "the sealed update is not the one committed to")
    return update
