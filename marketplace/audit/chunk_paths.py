"""Whether a chunk that was shown on chain is under a root."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.protocol.chunk_tree import depth_of, root_from_path


def is_under(root: bytes, chunk: int, chunks: int, digest: bytes, path: Sequence[bytes]) -> bool:
    """Whether chunk `chunk` of the vector of `chunks` chunks with this root has the leaf with this digest."""
    if not 0 <= chunk < chunks or len(path) != depth_of(chunks):
        return False
    return root_from_path(chunk, digest, path) == root
