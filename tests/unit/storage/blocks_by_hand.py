"""Blocks made by hand, as no `add` makes them, and a way to put them into a stopped node's repo."""

import base64
import hashlib
from pathlib import Path

from marketplace.storage.cid import from_digest


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def digest(block: bytes) -> bytes:
    return hashlib.sha256(block).digest()


def file_block(
    data: bytes = b"",
    links: tuple[tuple[bytes, int], ...] = (),
    *,
    kind: int = 2,
    size: int | None = None,
) -> bytes:
    """A dag-pb block; `links` are child blocks and the file bytes that they are said to hold."""
    if size is None:
        size = len(data) + sum(share for _, share in links)
    unixfs = field(1, kind)
    if data:
        unixfs += field(2, data)
    unixfs += field(3, size) + b"".join(field(4, share) for _, share in links)
    block = b""
    for child, _ in links:
        block += field(2, field(1, b"\x12\x20" + digest(child)) + field(2, b"") + field(3, len(child)))
    return block + field(1, unixfs)


def put(repo: Path, *blocks: bytes) -> str:
    """Write blocks into a repo's flat-file store; the last one's CID."""
    for block in blocks:
        path = block_path(repo, digest(block))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(block)
    return from_digest(digest(blocks[-1]))


def block_path(repo: Path, block_digest: bytes) -> Path:
    key = base64.b32encode(b"\x12\x20" + block_digest).decode().rstrip("=")
    # Kubo's default: shards by the next-to-last two characters
    return repo / "blocks" / key[-3:-1] / f"{key}.data"
