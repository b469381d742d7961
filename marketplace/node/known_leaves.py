"""Leaves of first models that this user's nodes have committed to, in the cache: the next start need not do so again.

Nothing there is trusted: leaves count where the chain's root is over them, and where they agree with the model's bytes.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.updates.leaves import leaves_bytes, pack_leaves, unpack_leaves
from marketplace.updates.tree_committer import TreeCommitter
from marketplace.whole_files import write_whole
from zk.curve import Point

FOLDER = "leaves"  # below the cache, files by root


def is_committed_to(
    committer: TreeCommitter, model: NDArray[np.int32], commitment: Point, cache: Path
) -> bool:
    """Whether the commitment (root, J) is the model's, int32[d]: committed to once for each cache."""
    path = cache / FOLDER / f"{commitment.x:064x}"
    known = _read(path, commitment)
    if known is not None and committer.agrees(model, known.leaves):
        return True
    tree = committer.tree(model)
    if committer.commitment(tree) != commitment:
        return False
    _write(path, pack_leaves(tree.leaves))
    return True


def _read(path: Path, commitment: Point) -> ChunkTree | None:
    try:
        with path.open("rb") as file:
            tree = ChunkTree(unpack_leaves(file.read(leaves_bytes(commitment.y) + 1), commitment.y))
    except (OSError, FairshareError):  # not there, or damaged: it is made again
        return None
    return tree if int.from_bytes(tree.root, "big") == commitment.x else None


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(OSError):  # without room or right it is made again the next time, too
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)
