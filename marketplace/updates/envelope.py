"""The sealed update on IPFS (`FSE1`, docs/protocol.md, "Files on IPFS").

`FSE1`, sealed content key (80), nonce (24), XChaCha20-Poly1305 ciphertext of the packed update. The associated
data binds it to chain, market, project, round, trainer and commitment, so a blob copied by another trainer opens
for nobody. AEAD: draft-irtf-cfrg-xchacha-03; sealed box: libsodium's crypto_box_seal.
"""

from __future__ import annotations

import re
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
from marketplace.updates.codec import packed_update_bytes, unpack_update
from marketplace.updates.sealing import KEY_BYTES, SEALED_KEY_BYTES, EncryptionKey, seal_key

MAGIC = b"FSE1"
DOMAIN = b"fairshare/update/v1"
NONCE_BYTES: int = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
TAG_BYTES: int = crypto_aead_xchacha20poly1305_ietf_ABYTES
HEAD_BYTES = len(MAGIC) + SEALED_KEY_BYTES + NONCE_BYTES

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")


def sealed_update_bytes(length: int) -> int:
    """Size in bytes of the sealed update of `length` values: a fetch needs no more."""
    return HEAD_BYTES + packed_update_bytes(length) + TAG_BYTES


@dataclass(frozen=True)
class UpdateContext:
    """What a sealed update belongs to.

    Attributes:
        chain_id: below 2^64.
        market: address of the TrainingMarket, 0x and 40 hex digits in any case.
        project: below 2^256.
        round: below 2^16.
        trainer: the submitting trainer's address.
        commitment: the update's commitment C_i (x, y), each below 2^256.

    Raises BAD_INPUT for values out of range.
    """

    chain_id: int
    market: str
    project: int
    round: int
    trainer: str
    commitment: tuple[int, int]

    def __post_init__(self) -> None:
        x, y = self.commitment
        for name, value, bits in (
            ("chain id", self.chain_id, 64),
            ("project", self.project, 256),
            ("round", self.round, 16),
            ("commitment x", x, 256),
            ("commitment y", y, 256),
        ):
            if not 0 <= value < 1 << bits:
                raise FairshareError(Reason.BAD_INPUT, f"{name} of an update does not fit {bits} bits")
        for name, address in (("market", self.market), ("trainer", self.trainer)):
            if not _ADDRESS.match(address):
                raise FairshareError(Reason.BAD_INPUT, f"{name} of an update is not an address: {address!r}")

    def associated_data(self) -> bytes:
        """The AEAD's associated data: 165 bytes, integers big-endian."""
        x, y = self.commitment
        return b"".join(
            (
                DOMAIN,
                self.chain_id.to_bytes(8, "big"),
                bytes.fromhex(self.market[2:]),
                self.project.to_bytes(32, "big"),
                self.round.to_bytes(2, "big"),
                bytes.fromhex(self.trainer[2:]),
                x.to_bytes(32, "big"),
                y.to_bytes(32, "big"),
            )
        )


@dataclass(frozen=True)
class SealedUpdate:
    """A sealed update: `blob` is published, the trainer keeps `content_key` in case it has to reseal it."""

    blob: bytes
    content_key: bytes

    def __repr__(self) -> str:  # logs must not hold the key
        return f"SealedUpdate(blob={len(self.blob)} bytes)"


def seal(packed: bytes, recipient_public: bytes, context: UpdateContext) -> SealedUpdate:
    """Seal a packed update to the recipient under a fresh key.

    Raises INTEGRITY for a recipient key that cannot be sealed to.
    """
    content_key = random(KEY_BYTES)
    nonce = random(NONCE_BYTES)
    ciphertext = crypto_aead_xchacha20poly1305_ietf_encrypt(
        packed, context.associated_data(), nonce, content_key
    )
    return SealedUpdate(MAGIC + seal_key(content_key, recipient_public) + nonce + ciphertext, content_key)


def reseal(content_key: bytes, recipient_public: bytes) -> bytes:
    """The content key sealed to the aggregator that took over: 80 bytes for the market's `reseal`.

    Raises INTEGRITY for a recipient key that cannot be sealed to.
    """
    return seal_key(content_key, recipient_public)


def open_update(
    blob: bytes, key: EncryptionKey, context: UpdateContext, length: int, sealed_key: bytes | None = None
) -> npt.NDArray[np.int16]:
    """The update, int16 [length], in a sealed blob.

    `sealed_key` replaces the blob's own sealed key where the trainer resealed it to a later aggregator.
    Raises INTEGRITY for every blob that is not exactly the sealed update of that context and length. Whether
    the update is the committed one is for the caller to check: that needs the circuit's key.
    """
    wanted = sealed_update_bytes(length)
    if len(blob) != wanted:
        raise FairshareError(
            Reason.INTEGRITY, f"the sealed update has {len(blob)} bytes where {wanted} are due"
        )
    if blob[: len(MAGIC)] != MAGIC:
        raise FairshareError(Reason.INTEGRITY, "the sealed update does not start with FSE1")
    own_sealed_key = blob[len(MAGIC) : len(MAGIC) + SEALED_KEY_BYTES]
    content_key = key.open_box(own_sealed_key if sealed_key is None else sealed_key)
    if len(content_key) != KEY_BYTES:
        raise FairshareError(Reason.INTEGRITY, "the sealed key does not hold a content key")
    nonce = blob[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES]
    try:
        packed = crypto_aead_xchacha20poly1305_ietf_decrypt(
            blob[HEAD_BYTES:], context.associated_data(), nonce, content_key
        )
    except CryptoError:
        raise FairshareError(
            Reason.INTEGRITY,
            "the sealed update is damaged, or belongs to another trainer, round or commitment",
        ) from None
    return unpack_update(packed, length)
