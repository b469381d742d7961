"""Published models, and vectors that were put on chain, against the commitments that the chain carries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.audit.report import failed
from marketplace.audit.rounds import CohortReplay, RoundReplay
from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, from_digest
from marketplace.storage.store import ContentStore
from marketplace.updates.codec import pack_model, packed_model_bytes, unpack_model
from marketplace.updates.tree_committer import TreeCommitter
from zk.commit import Committer
from zk.curve import Point


def check_model(
    store: ContentStore,
    digest: bytes,
    commitment: Point,
    committer: Committer | TreeCommitter,
    length: int,
    timeout_s: float,
    *,
    answered: bytes = b"",
) -> str:
    """The model named by a CID's digest, fetched and committed to anew, is the one behind `commitment`.

    `length`: numbers of a packed model; `answered`: the model as a challenge's answer put it on chain: taken where
    nobody serves the file.
    """
    cid = from_digest(digest)
    if committer.commit(load_model(store, cid, length, timeout_s, answered=answered)) != commitment:
        raise failed(f"the model {cid} is not the one behind the commitment on chain")
    return f"the model {cid} is the one behind the commitment on chain"


def load_model(
    store: ContentStore, cid: str, length: int, timeout_s: float, *, answered: bytes = b""
) -> NDArray[np.int32]:
    """A model by its CID, as it is: int32 [length]. Arguments as of `check_model`."""
    try:
        packed = store.fetch(cid, max_bytes=packed_model_bytes(length), timeout_s=timeout_s)
    except FairshareError as error:
        if error.reason is not Reason.UNAVAILABLE or len(answered) != 4 * length:
            raise
        packed = pack_model(np.frombuffer(answered, dtype="<i4").astype(np.int32))
        if cid_of(packed) != cid:
            raise
    return unpack_model(packed, length)


def check_answers(
    cohort: CohortReplay, committer: Committer | TreeCommitter, length: int, max_norm_squared: int
) -> str:
    """Updates that were put on chain to answer complaints are those behind their commitments, and within the bound."""
    for answer in cohort.answers:
        update = vector_of(answer.packed, "<i2", length)
        if committer.commit(update) != Point(answer.x, answer.y):
            raise failed(f"slot {answer.slot} answered with another update than the one it committed to")
        require_norm(update, answer.slot, max_norm_squared)
    return f"{len(cohort.answers)} updates that answered complaints are those that were committed to"


def check_answered_model(
    round_: RoundReplay, commitment: Point, committer: Committer | TreeCommitter, length: int
) -> str:
    """The model that was put on chain to answer a challenge is the one behind the round's commitment."""
    if round_.model_answer is None:
        raise failed("no challenge of the model was answered")
    model = vector_of(round_.model_answer.packed, "<i4", length)
    if committer.commit(model) != commitment:
        raise failed("the challenge was answered with another model than the one behind the commitment")
    return "the challenge was answered with the model behind the commitment"


def require_norm(numbers: NDArray[np.int32], slot: int, max_norm_squared: int) -> None:
    """AUDIT_FAILED where what a slot put on chain is beyond the norm bound."""
    norm = sum(int(value) ** 2 for value in numbers.tolist())
    if norm > max_norm_squared:
        raise failed(f"slot {slot}'s update has the squared norm {norm}, beyond the bound")


def vector_of(packed: bytes, kind: str, length: int) -> NDArray[np.int32]:
    """Numbers that were put on chain, little-endian of a numpy `kind`; AUDIT_FAILED unless there are `length`."""
    vector = np.frombuffer(packed, dtype=kind).astype(np.int32)
    if len(vector) != length:
        raise failed(f"an answer has {len(vector)} numbers, not {length}")
    return vector
