"""Updates, models and what is published beside them."""

from __future__ import annotations

import contextlib

import numpy as np

from marketplace.errors import FairshareError
from marketplace.protocol.chunk_tree import ChunkTree, Leaf, root_from_path
from marketplace.protocol.digests import update_digest
from marketplace.storage.cid import cid_of
from marketplace.updates.batch import Batch, BatchEntry, unpack_batch
from marketplace.updates.codec import pack_model, pack_update, unpack_model, unpack_update
from marketplace.updates.envelope import UpdateContext, commitment_from_bytes, open_update, seal
from marketplace.updates.leaves import pack_leaves, unpack_leaves
from marketplace.updates.manifest import Manifest
from marketplace.updates.sealing import KEY_BYTES, EncryptionKey, seal_key
from tests.fuzz.target import Target
from zk import curve
from zk.curve import Point

LENGTH = 50
KEY = EncryptionKey.from_bytes(bytes(range(KEY_BYTES)))
CONTEXT = UpdateContext(31337, "0x" + "ab" * 20, 7, 3, "0x" + "cd" * 20)
COMMITMENT = Point(1, 2)  # the curve's generator
_UPDATE = pack_update(np.arange(-25, 25, dtype=np.int16))
_MODEL = pack_model(np.arange(-25, 25, dtype=np.int32))


def _sealed(data: bytes) -> object:
    """The digest is always the one of what is in the head: a mutated commitment is looked at as well."""
    x, y = (int.from_bytes(data[at : at + 32].ljust(32, b"\0"), "big") for at in (4, 36))
    with contextlib.suppress(FairshareError):
        open_update(data, KEY, CONTEXT, update_digest(x, y, CONTEXT.trainer), LENGTH, chunks=y or 1)
    return open_update(data, KEY, CONTEXT, update_digest(x, y, CONTEXT.trainer), LENGTH)


def _inside(data: bytes) -> object:
    """What an authentic sealed update holds."""
    sealed = seal(data, COMMITMENT, KEY.public, CONTEXT)
    digest = update_digest(*COMMITMENT, CONTEXT.trainer)
    return open_update(sealed.blob, KEY, CONTEXT, digest, LENGTH)


def _leaves(data: bytes) -> object:
    leaves = unpack_leaves(data, max(1, len(data) // 96))
    return ChunkTree(leaves).root


def _path(data: bytes) -> object:
    nodes = [data[at : at + 32] for at in range(2, len(data), 32)]
    return root_from_path(int.from_bytes(data[:2], "big"), nodes[0] if nodes else b"", nodes[1:])


def _commitment(data: bytes) -> object:
    with contextlib.suppress(FairshareError):
        commitment_from_bytes(data, chunks=16)
    return commitment_from_bytes(data)


def _leaf(number: int) -> Leaf:
    point = curve.multiply(COMMITMENT, number)
    return Leaf(point.x, point.y, bytes([number]) * 32)


def _batch() -> Batch:
    entries = [BatchEntry(slot, bytes([slot]) * 32, b"b" * 32, b"s" * 65) for slot in (0, 3, 15)]
    return Batch(tuple(entries))


def _manifest() -> Manifest:
    model, leaves, other = (cid_of(name) for name in (b"model", b"leaves", b"other"))
    return Manifest(model, leaves, other)


TARGETS = (
    Target("update", lambda data: unpack_update(data, LENGTH), lambda: [_UPDATE]),
    Target("model", lambda data: unpack_model(data, LENGTH), lambda: [_MODEL]),
    Target("sealed-update", _sealed, lambda: [seal(_UPDATE, COMMITMENT, KEY.public, CONTEXT).blob]),
    Target("inside-a-sealed-update", _inside, lambda: [_UPDATE]),
    Target("sealed-key", KEY.open_box, lambda: [seal_key(bytes(KEY_BYTES), KEY.public)]),
    Target("recipient-key", lambda data: seal_key(bytes(KEY_BYTES), data), lambda: [KEY.public]),
    Target("commitment", _commitment, lambda: [curve.to_bytes(COMMITMENT), bytes(63) + b"\x10"]),
    Target("batch", unpack_batch, lambda: [_batch().pack()], json_at=0),
    Target("manifest", Manifest.from_bytes, lambda: [_manifest().to_bytes()], json_at=0),
    Target(
        "leaves", _leaves, lambda: [pack_leaves([_leaf(1)]), pack_leaves([_leaf(i) for i in range(1, 6)])]
    ),
    Target("tree-path", _path, lambda: [b"\0\x01" + bytes(32) * 3]),
)
