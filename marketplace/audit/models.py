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
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles


def check_model(
    store: ContentStore,
    digest: bytes,
    commitment: Point,
    files: CircuitFiles,
    timeout_s: float,
    *,
    answered: bytes = b"",
) -> str:
    """The model named by a CID's digest, fetched and committed to anew, is the one behind `commitment`.

    `answered`: the model as a challenge's answer put it on chain: taken where nobody serves the file.
    """
    cid, length = from_digest(digest), files.shape.length
    try:
        packed = store.fetch(cid, max_bytes=packed_model_bytes(length), timeout_s=timeout_s)
    except FairshareError as error:
        if error.reason is not Reason.UNAVAILABLE or len(answered) != 4 * length:
            raise
        packed = pack_model(np.frombuffer(answered, dtype="<i4").astype(np.int32))
        if cid_of(packed) != cid:
            raise
    if Committer(files).commit(unpack_model(packed, length)) != commitment:
        raise failed(f"the model {cid} is not the one behind the commitment on chain")
    return f"the model {cid} is the one behind the commitment on chain"


def check_answers(cohort: CohortReplay, files: CircuitFiles, max_norm_squared: int) -> str:
    """Updates that were put on chain to answer complaints are those behind their commitments, and within the bound."""
    for answer in cohort.answers:
        update = _vector(answer.packed, "<i2", files.shape.length)
        if Committer(files).commit(update) != Point(answer.x, answer.y):
            raise failed(f"slot {answer.slot} answered with another update than the one it committed to")
        norm = sum(int(value) ** 2 for value in update.tolist())
        if norm > max_norm_squared:
            raise failed(f"slot {answer.slot}'s update has the squared norm {norm}, beyond the bound")
    return f"{len(cohort.answers)} updates that answered complaints are those that were committed to"


def check_answered_model(round_: RoundReplay, commitment: Point, files: CircuitFiles) -> str:
    """The model that was put on chain to answer a challenge is the one behind the round's commitment."""
    if round_.model_answer is None:
        raise failed("no challenge of the model was answered")
    model = _vector(round_.model_answer.packed, "<i4", files.shape.length)
    if Committer(files).commit(model) != commitment:
        raise failed("the challenge was answered with another model than the one behind the commitment")
    return "the challenge was answered with the model behind the commitment"


def _vector(packed: bytes, kind: str, length: int) -> NDArray[np.int32]:
    vector = np.frombuffer(packed, dtype=kind).astype(np.int32)
    if len(vector) != length:
        raise failed(f"an answer has {len(vector)} numbers, not {length}")
    return vector
