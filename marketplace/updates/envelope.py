"""The sealed update on IPFS (`FSE2`, docs/protocol.md, "Files on IPFS").

`FSE2`, commitment (64: big-endian x, y), sealed content key (80), nonce (24), XChaCha20-Poly1305 ciphertext of the
packed update. The chain holds only the commitment's digest until the result: the commitment itself comes with the
blob, which is served once the submit window has closed. The associated data binds a blob to chain, market, project,
round, trainer and commitment, so one copied by another trainer opens for nobody. The owner's reference update is sealed
the same way, the owner in the trainer's place. AEAD: draft-irtf-cfrg-xchacha-03; sealed box: libsodium's
crypto_box_seal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError
from nacl.utils import random

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.digests import update_digest
from marketplace.updates.codec import packed_update_bytes, unpack_update
from marketplace.updates.round_context import RoundContext
from marketplace.updates.sealing import KEY_BYTES, SEALED_KEY_BYTES, EncryptionKey, seal_key
from zk import curve
from zk.curve import Point

MAGIC = b"FSE2"
DOMAIN = b"fairshare/update/v2"
NONCE_BYTES: int = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
TAG_BYTES: int = crypto_aead_xchacha20poly1305_ietf_ABYTES
_KEY_AT = len(MAGIC) + curve.SIZE
_NONCE_AT = _KEY_AT + SEALED_KEY_BYTES
HEAD_BYTES = _NONCE_AT + NONCE_BYTES


def sealed_update_bytes(length: int) -> int:
    """Size in bytes of the sealed update of `length` values: a fetch needs no more."""
    return sealed_bytes(packed_update_bytes(length))


def sealed_bytes(packed: int) -> int:
    """Size in bytes of what is sealed around `packed` bytes."""
    return HEAD_BYTES + packed + TAG_BYTES


@dataclass(frozen=True)
class UpdateContext(RoundContext):
    """What a sealed update belongs to.

    `trainer`: who submits it, a trainer's address or for a reference update the owner's. Raises BAD_INPUT for values
    out of range.
    """

    of = "an update"

    trainer: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_address("trainer", self.trainer)

    def associated_data(self, commitment: Point) -> bytes:
        """The AEAD's associated data: 165 bytes, integers big-endian."""
        return DOMAIN + self.packed() + bytes.fromhex(self.trainer[2:]) + curve.to_bytes(commitment)


@dataclass(frozen=True)
class SealedUpdate:
    """A sealed update: `blob` is published, the trainer keeps `content_key` in case it has to reseal it."""

    blob: bytes
    content_key: bytes

    def __repr__(self) -> str:  # logs must not hold the key
        return f"SealedUpdate(blob={len(self.blob)} bytes)"


@dataclass(frozen=True)
class OpenedUpdate:
    """What a sealed blob held: the update, int16 [d], and the commitment it came with."""

    update: npt.NDArray[np.int16]
    commitment: Point


def seal(packed: bytes, commitment: Point, recipient_public: bytes, context: UpdateContext) -> SealedUpdate:
    """Seal a packed update with this commitment to the recipient under a fresh key.

    Raises INTEGRITY for a recipient key that cannot be sealed to.
    """
    content_key = random(KEY_BYTES)
    nonce = random(NONCE_BYTES)
    ciphertext = crypto_aead_xchacha20poly1305_ietf_encrypt(
        packed, context.associated_data(commitment), nonce, content_key
    )
    head = MAGIC + curve.to_bytes(commitment) + seal_key(content_key, recipient_public) + nonce
    return SealedUpdate(head + ciphertext, content_key)


def reseal(content_key: bytes, recipient_public: bytes) -> bytes:
    """The content key sealed to the aggregator that took over: 80 bytes for the market's `reseal`.

    Raises INTEGRITY for a recipient key that cannot be sealed to.
    """
    return seal_key(content_key, recipient_public)


def commitment_of(blob: bytes, chunks: int = 0) -> Point:
    """The commitment in a sealed blob's head. INTEGRITY unless it is the head of one, with a commitment."""
    if blob[: len(MAGIC)] != MAGIC:
        raise FairshareError(Reason.INTEGRITY, "the sealed update does not start with FSE2")
    return commitment_from_bytes(blob[len(MAGIC) : _KEY_AT], chunks)


def commitment_from_bytes(data: bytes, chunks: int = 0) -> Point:
    """A commitment in 64 bytes: a point of the curve, or with `chunks` a root and that number (docs/sketch.md).

    Raises INTEGRITY for anything else.
    """
    if not chunks:
        return curve.from_bytes(data)
    if len(data) != curve.SIZE or int.from_bytes(data[32:], "big") != chunks:
        raise FairshareError(Reason.INTEGRITY, f"the bytes are not the root of {chunks} chunks")
    return Point(int.from_bytes(data[:32], "big"), chunks)


def open_update(
    blob: bytes,
    key: EncryptionKey,
    context: UpdateContext,
    digest: bytes,
    length: int,
    sealed_key: bytes | None = None,
    chunks: int = 0,
) -> OpenedUpdate:
    """The update, int16 [length], in a sealed blob whose commitment has the `digest` on chain.

    `sealed_key` replaces the blob's own sealed key where the trainer resealed it to a later aggregator.
    `chunks`: J on the sketch path, whose commitments are (root, J).
    Raises INTEGRITY for every blob that is not exactly the sealed update of that context, digest and length. Whether
    the update is the committed one is for the caller to check: that needs the circuit's key.
    """
    size = packed_update_bytes(length)
    packed, commitment = open_sealed(blob, key, context, digest, size, sealed_key, chunks)
    return OpenedUpdate(unpack_update(packed, length), commitment)


def open_sealed(
    blob: bytes,
    key: EncryptionKey,
    context: UpdateContext,
    digest: bytes,
    size: int,
    sealed_key: bytes | None = None,
    chunks: int = 0,
) -> tuple[bytes, Point]:
    """The `size` bytes in a sealed blob, and its commitment: on the sketch path an update with its leaves.

    Arguments and errors as of `open_update`; the bytes are not looked at.
    """
    wanted = sealed_bytes(size)
    if len(blob) != wanted:
        raise FairshareError(
            Reason.INTEGRITY, f"the sealed update has {len(blob)} bytes where {wanted} are due"
        )
    commitment = commitment_of(blob, chunks)
    if update_digest(*commitment, context.trainer) != digest:
        raise FairshareError(Reason.INTEGRITY, "the sealed update's commitment is not the one submitted")
    content_key = key.open_box(blob[_KEY_AT:_NONCE_AT] if sealed_key is None else sealed_key)
    if len(content_key) != KEY_BYTES:
        raise FairshareError(Reason.INTEGRITY, "the sealed key does not hold a content key")
    try:
        packed = crypto_aead_xchacha20poly1305_ietf_decrypt(
            blob[HEAD_BYTES:], context.associated_data(commitment), blob[_NONCE_AT:HEAD_BYTES], content_key
        )
    except CryptoError:
        raise FairshareError(
            Reason.INTEGRITY,
            "the sealed update is damaged, or belongs to another trainer, round or commitment",
        ) from None
    return packed, commitment
