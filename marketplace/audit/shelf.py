"""What results on the sketch path published, fetched from storage: manifests, models and their leaves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from marketplace.audit.report import failed
from marketplace.errors import FairshareError
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.storage.cid import from_digest
from marketplace.storage.store import ContentStore
from marketplace.updates.codec import packed_model_bytes, unpack_model
from marketplace.updates.leaves import leaves_bytes, unpack_all_leaves, unpack_leaves
from marketplace.updates.manifest import MAX_MANIFEST_BYTES, Manifest
from marketplace.updates.tree_committer import TreeCommitter

_KEPT_MODELS = 2  # a round needs the one before it and its own
_KEPT_TREES = 4  # and their leaves, as published and made anew

T = TypeVar("T")


@dataclass
class Shelf:
    """Files of one project by CID, as they are: nothing is held against the chain yet.

    Raises UNAVAILABLE where nobody serves a file, INTEGRITY and TOO_LARGE where something else has its name,
    AUDIT_FAILED where it is no such file.
    """

    store: ContentStore
    committer: TreeCommitter
    chunks: int
    chunk_length: int
    timeout_s: float
    _models: OrderedDict[str, NDArray[np.int32]] = field(default_factory=OrderedDict)
    _trees: OrderedDict[str, ChunkTree] = field(default_factory=OrderedDict)

    @property
    def length(self) -> int:
        """Numbers of a packed model."""
        return self.chunks * self.chunk_length

    def manifest(self, digest: bytes) -> Manifest:
        """The manifest that a result names by its CIDv0's digest."""
        cid = from_digest(digest)
        data = self._fetch(cid, MAX_MANIFEST_BYTES)
        return _read(f"the manifest {cid}", lambda: Manifest.from_bytes(data))

    def model(self, cid: str) -> NDArray[np.int32]:
        """A model, int32 [J * n]."""

        def make() -> NDArray[np.int32]:
            packed = self._fetch(cid, packed_model_bytes(self.length))
            return _read(f"the model {cid}", lambda: unpack_model(packed, self.length))

        return _kept(self._models, _KEPT_MODELS, cid, make)

    def leaves(self, cid: str) -> ChunkTree:
        """Published leaves of a model."""

        def make() -> ChunkTree:
            data = self._fetch(cid, leaves_bytes(self.chunks))
            return _read(f"the file of leaves {cid}", lambda: ChunkTree(unpack_leaves(data, self.chunks)))

        return _kept(self._trees, _KEPT_TREES, cid, make)

    def update_leaves(self, cid: str, count: int) -> list[ChunkTree]:
        """The leaves of `count` updates that were merged, in one file."""
        data = self._fetch(cid, count * leaves_bytes(self.chunks))
        found = _read(f"the file of leaves {cid}", lambda: unpack_all_leaves(data, self.chunks, count))
        return [ChunkTree(leaves) for leaves in found]

    def committed(self, cid: str) -> ChunkTree:
        """A model's leaves made anew: each point is the commitment of its chunk's bytes."""
        return _kept(self._trees, _KEPT_TREES, f"anew {cid}", lambda: self.committer.tree(self.model(cid)))

    def _fetch(self, cid: str, max_bytes: int) -> bytes:
        return self.store.fetch(cid, max_bytes=max_bytes, timeout_s=self.timeout_s)


def _read(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except FairshareError as error:
        raise failed(f"{name} is {error.message}") from error


def _kept(shelf: OrderedDict[str, T], most: int, name: str, make: Callable[[], T]) -> T:
    if name not in shelf:
        shelf[name] = make()
        while len(shelf) > most:
            shelf.popitem(last=False)
    shelf.move_to_end(name)
    return shelf[name]
