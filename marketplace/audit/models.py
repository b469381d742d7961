"""Published models against the commitments that the chain carries."""

from __future__ import annotations

from marketplace.audit.report import failed
from marketplace.storage.cid import from_digest
from marketplace.storage.store import ContentStore
from marketplace.updates.codec import packed_model_bytes, unpack_model
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles


def check_model(
    store: ContentStore, digest: bytes, commitment: Point, files: CircuitFiles, timeout_s: float
) -> str:
    """The model named by a CID's digest, fetched and committed to anew, is the one behind `commitment`."""
    cid, length = from_digest(digest), files.shape.length
    packed = store.fetch(cid, max_bytes=packed_model_bytes(length), timeout_s=timeout_s)
    if Committer(files).commit(unpack_model(packed, length)) != commitment:
        raise failed(f"the model {cid} is not the one behind the commitment on chain")
    return f"the model {cid} is the one behind the commitment on chain"
