"""The tree over a vector's chunks, whose root stands for it (docs/sketch.md).

Twin of contracts/libraries/ChunkTree.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from marketplace.errors import FairshareError, Reason

MAX_LENGTH = 1 << 24  # numbers of a vector
MAX_CHUNKS = 1 << 16  # of at least 256 numbers each

_EMPTY = bytes(32)
_WORD = 32


@dataclass(frozen=True)
class Leaf:
    """A chunk: its point's coordinates, and keccak256 (32 bytes) of its packed numbers."""

    x: int
    y: int
    hash: bytes

    def digest(self) -> bytes:
        """keccak256(abi.encode(x, y, hash)), 32 bytes."""
        return bytes(keccak(self.x.to_bytes(_WORD, "big") + self.y.to_bytes(_WORD, "big") + self.hash))


def chunks_of(length: int, chunk_length: int) -> int:
    """J: how many chunks `length` numbers take, the last one filled with zeros."""
    return -(-length // chunk_length)


def depth_of(chunks: int) -> int:
    """Height of the tree over `chunks` leaves, and length of a path: ceil(log2 chunks)."""
    if not 0 < chunks <= MAX_CHUNKS:
        raise FairshareError(
            Reason.BAD_INPUT, f"no vector has {chunks} chunks", f"1 to {MAX_CHUNKS} are possible"
        )
    return (chunks - 1).bit_length()


@dataclass(frozen=True)
class ChunkTree:
    """The tree of a vector's leaves; from the last one on they are bytes32(0). BAD_INPUT for none or too many."""

    leaves: tuple[Leaf, ...]

    def __post_init__(self) -> None:
        depth_of(len(self.leaves))

    @property
    def depth(self) -> int:
        """Of the tree: 0 for one leaf."""
        return depth_of(len(self.leaves))

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """The siblings of leaf `index` and of the nodes above it, from the leaf up; BAD_INPUT for no such leaf."""
        if not 0 <= index < len(self.leaves):
            raise FairshareError(Reason.BAD_INPUT, f"there is no chunk {index} of {len(self.leaves)}")
        return tuple(level[(index >> height) ^ 1] for height, level in enumerate(self._levels[:-1]))

    @cached_property
    def _levels(self) -> list[list[bytes]]:
        level = [leaf.digest() for leaf in self.leaves]
        level += [_EMPTY] * ((1 << self.depth) - len(level))
        levels = [level]
        while len(level) > 1:
            level = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
            levels.append(level)
        return levels


def root_from_path(index: int, leaf_digest: bytes, path: Sequence[bytes]) -> bytes:
    """The root over leaf `index` with these siblings; BAD_INPUT where a tree of that depth has no such leaf."""
    if not 0 <= index < 1 << len(path):
        raise FairshareError(Reason.BAD_INPUT, f"a path of {len(path)} nodes does not lead to leaf {index}")
    node = leaf_digest
    for height, sibling in enumerate(path):
        node = _node(sibling, node) if index >> height & 1 else _node(node, sibling)
    return node


def _node(left: bytes, right: bytes) -> bytes:
    return bytes(keccak(left + right))
