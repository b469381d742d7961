"""Files out of blocks: a bounded walk over a file's DAG that yields its bytes in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from marketplace.storage.blocks import BlockRequest, Blocks
from marketplace.storage.dag import FileBlock, Link, MalformedBlock, block_limit, parse_block

_AHEAD = 8  # blocks asked for before they are needed
_MAX_DEPTH = 5  # 174^4 leaves of 256 KiB are 240 TB


class FileReader:
    """The file whose root block has `digest`.

    Raises BlockUnavailable, BlockDamaged or MalformedBlock, on construction as on reading. Never asks for
    more blocks than a file of the size read has when it is laid out by Kubo's defaults.
    """

    def __init__(self, blocks: Blocks, digest: bytes, deadline: float) -> None:
        self._blocks = blocks
        self._deadline = deadline
        self._root = parse_block(blocks.get(digest, deadline))
        self._allowed = 0

    @property
    def size(self) -> int:
        """Bytes of the file, as its root block states them."""
        return self._root.size

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes [offset, offset + length) of the file, up to its end."""
        end = self.size if length is None else min(self.size, offset + length)
        self._allowed = block_limit(end)
        yield from self._walk(self._root, 0, offset, end, 0)

    def _walk(self, block: FileBlock, start: int, offset: int, end: int, depth: int) -> Iterator[bytes]:
        """The part of [offset, end) that lies under `block`, which begins at `start` of the file."""
        if depth > _MAX_DEPTH:
            raise MalformedBlock("the file is nested too deeply")
        if not block.links:
            data = block.data[max(0, offset - start) : end - start]
            if data:
                yield data
            return
        for link, at, child in self._children(block, start, offset, end):
            if child.size != link.size:
                raise MalformedBlock("a block is not of the size that its parent states")
            yield from self._walk(child, at, offset, end, depth + 1)

    def _children(
        self, block: FileBlock, start: int, offset: int, end: int
    ) -> Iterator[tuple[Link, int, FileBlock]]:
        """Children within [offset, end) in order and where each begins; the next few are asked for ahead."""
        wanted = deque[tuple[Link, int]]()
        at = start
        for link in block.links:
            if at < end and at + link.size > offset:
                wanted.append((link, at))
            at += link.size
        asked = deque[tuple[Link, int, BlockRequest]]()
        try:
            while wanted or asked:
                while wanted and len(asked) < _AHEAD:
                    link, at = wanted.popleft()
                    self._allowed -= 1
                    if self._allowed < 0:
                        raise MalformedBlock("the file has more blocks than its size needs")
                    asked.append((link, at, self._blocks.ask(link.digest)))
                link, at, request = asked.popleft()
                with request:
                    block_bytes = request.result(self._deadline)
                yield link, at, parse_block(block_bytes)
        finally:
            for _, _, request in asked:
                request.give_up()
