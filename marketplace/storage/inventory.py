"""Which blocks a repo has on disk, read without asking the node, which would ask its peers.

Kubo's flatfs: `blocks/SHARD/KEY.data`, the key the block's multihash in base32, the shard its next-to-last two letters.
"""

from __future__ import annotations

import base64
import errno
import shutil
from collections.abc import Container, Iterator
from pathlib import Path

from marketplace.storage.dag import MAX_NODE_BYTES, FileBlock, MalformedBlock, block_limit, parse_block

RESERVE_BYTES = 16 * 1024 * 1024  # that Kubo's own databases are left
NO_SPACE = "no space left on device"  # Kubo's own words
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MULTIHASH = b"\x12\x20"
_SUFFIX = ".data"


class Inventory:
    """The blocks below `repo`."""

    def __init__(self, repo: Path) -> None:
        self._repo = repo
        self._blocks = repo / "blocks"

    def path(self, digest: bytes) -> Path:
        """Where the block with this sha2-256 digest, 32 bytes, is kept."""
        key = base64.b32encode(_MULTIHASH + digest).decode("ascii").rstrip("=")
        return self._blocks / key[-3:-1] / (key + _SUFFIX)

    def read(self, digest: bytes) -> bytes | None:
        """The bytes under a block's name, whatever they are; None where there are none."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def is_leaf(self, digest: bytes) -> bool:
        """Whether the block is here and too large to have links: not every pinned byte need be read to list pins."""
        try:
            return self.path(digest).stat().st_size > MAX_NODE_BYTES
        except FileNotFoundError:
            return False

    def stored(self) -> tuple[int, int]:
        """Number and total bytes of the blocks."""
        sizes = []
        for path in self._files():
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue  # collected meanwhile
        return len(sizes), sum(sizes)

    def local_bytes(self, digest: bytes) -> int:
        """Bytes on disk of the file with this root: the blocks that can be reached without a peer.

        Raises MalformedBlock for what is no file as Kubo's default `add` makes it.
        """
        root = self.read(digest)
        if root is None:
            return 0
        block = parse_block(root)
        left = [block_limit(block.size)]
        return len(root) + sum(self._below(block, left))

    def has_all(self, digest: bytes) -> bool:
        """Whether every block of the file with this root is on disk. Raises MalformedBlock."""
        block = self.read(digest)
        if block is None:
            return False
        parsed = parse_block(block)
        return all(self._below(parsed, [block_limit(parsed.size)]))

    def remove_all_but(self, digests: Container[bytes]) -> Iterator[bytes]:
        """Deletes all other blocks; the digest of each. What is no block of a sha2-256 digest stays."""
        for path in self._files():
            digest = _digest_in(path.name)
            if digest is not None and digest not in digests:
                path.unlink(missing_ok=True)
                yield digest

    def free(self) -> int:
        """Bytes that the disk has left for blocks, less the reserve."""
        return max(0, shutil.disk_usage(self._repo).free - RESERVE_BYTES)

    def _files(self) -> Iterator[Path]:
        return self._blocks.glob(f"*/*{_SUFFIX}")

    def _below(self, block: FileBlock, left: list[int]) -> Iterator[int]:
        """The size of each block under `block`, 0 for one that is not here; no more than `left` are looked at."""
        for link in block.links:
            left[0] -= 1
            if left[0] < 0:
                raise MalformedBlock("the file has more blocks than its size needs")
            try:
                size = self.path(link.digest).stat().st_size
            except FileNotFoundError:
                yield 0
                continue
            yield size
            if size <= MAX_NODE_BYTES and (child := self.read(link.digest)) is not None:
                parsed = parse_block(child)
                if parsed.size != link.size:
                    raise MalformedBlock("a block is not of the size that its parent states")
                yield from self._below(parsed, left)


def _digest_in(name: str) -> bytes | None:
    key = name.removesuffix(_SUFFIX)
    try:
        multihash = base64.b32decode(key + "=" * (-len(key) % 8))
    except ValueError:
        return None
    digest = multihash[len(_MULTIHASH) :]
    return digest if multihash.startswith(_MULTIHASH) and len(digest) == 32 else None
