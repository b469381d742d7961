"""Blocks of a file: dag-pb and UnixFS as Kubo's default `add` writes them (ipld.io/specs, unixfs.proto).

Pure and strict: a block is a stranger's bytes. Only what a default `add` can produce is read: leaves that
hold data, and nodes of at most 174 links that hold none, each link a CIDv0 with its share of the file's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.storage.cid import DIGEST_BYTES

CHUNK_BYTES = 262_144
MAX_LINKS = 174
MAX_BLOCK_BYTES = 2 * 1024 * 1024  # bitswap's limit; a default block is smaller
MAX_NODE_BYTES = 16 * 1024  # of a block with links: 174 of some 55 bytes each

_LINK_FIELDS = 3  # hash, name, size
_FILE_TYPES = (0, 2)  # unixfs.proto: Raw, File
_MULTIHASH = b"\x12\x20"


class MalformedBlock(ValueError):
    """A block that is no part of a file as Kubo's default `add` makes it."""


@dataclass(frozen=True)
class Link:
    """A child block: its sha2-256 digest and how many bytes of the file lie under it."""

    digest: bytes
    size: int


@dataclass(frozen=True)
class FileBlock:
    """One block of a file: either data (a leaf) or links; `size` counts the file's bytes at and under it."""

    data: bytes
    links: tuple[Link, ...]
    size: int


def parse_block(block: bytes) -> FileBlock:
    """Read one dag-pb block. Raises MalformedBlock."""
    if len(block) > MAX_BLOCK_BYTES:
        raise MalformedBlock(f"a block of {len(block)} bytes")
    digests: list[bytes] = []
    unixfs = b""
    for field, value in _fields(block, MAX_LINKS + 1):
        if field == 2 and isinstance(value, bytes) and len(digests) < MAX_LINKS:
            digests.append(_link_digest(value))
        elif field == 1 and isinstance(value, bytes) and not unixfs:
            unixfs = value
        else:
            raise MalformedBlock("not a dag-pb node of a file")
    if digests and len(block) > MAX_NODE_BYTES:
        raise MalformedBlock(f"a block of {len(block)} bytes with links")
    data, size, sizes = _parse_unixfs(unixfs)
    if len(sizes) != len(digests) or (digests and data):
        raise MalformedBlock("links and their sizes do not match")
    if size != len(data) + sum(sizes) or any(child == 0 for child in sizes):
        raise MalformedBlock("the stated sizes do not add up")
    return FileBlock(data, tuple(map(Link, digests, sizes)), size)


def block_limit(size: int) -> int:
    """More blocks than a file of `size` bytes has by default: bounds the walk over a hostile one."""
    return 16 + 2 * (size // CHUNK_BYTES)


def stored_bytes(size: int) -> int:
    """What a file of `size` bytes takes on disk by default, at most: its blocks with their heads and links."""
    return size + 64 * block_limit(size)


def _parse_unixfs(message: bytes) -> tuple[bytes, int, list[int]]:
    kind: int | None = None
    data = b""
    size = 0
    sizes: list[int] = []
    for field, value in _fields(message, MAX_LINKS + 3):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field == 2 and isinstance(value, bytes):
            data = value
        elif field == 3 and isinstance(value, int):
            size = value
        elif field == 4 and isinstance(value, int) and len(sizes) < MAX_LINKS:
            sizes.append(value)
        else:
            raise MalformedBlock("not UnixFS data of a file")
    if kind not in _FILE_TYPES:
        raise MalformedBlock("not a file")
    return data, size, sizes


def _link_digest(message: bytes) -> bytes:
    for field, value in _fields(message, _LINK_FIELDS):
        if field == 1 and isinstance(value, bytes):
            if len(value) != len(_MULTIHASH) + DIGEST_BYTES or not value.startswith(_MULTIHASH):
                raise MalformedBlock("a link that is not a CIDv0")
            return value[len(_MULTIHASH) :]
    raise MalformedBlock("a link without a hash")


def _fields(message: bytes, most: int) -> Iterator[tuple[int, int | bytes]]:
    """The fields, `most` at most, of a protobuf message: varints and byte strings; dag-pb and UnixFS have no others."""
    at = 0
    while at < len(message):
        most -= 1
        if most < 0:
            raise MalformedBlock("more fields than a file's block has")
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise MalformedBlock("truncated protobuf")
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise MalformedBlock("an unknown protobuf wire type")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(message[at : at + 9]):  # nine bytes hold 63 bits
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise MalformedBlock("a protobuf varint that does not end")
