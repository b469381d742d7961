"""A model sealed to a project's members (`FSM1`, docs/protocol.md, "Sealed models").

`FSM1`, u16 n, n envelopes (an X25519 public key, 32 bytes, and the content key in a sealed box to it, 80 bytes; public
keys ascending), nonce (24), XChaCha20-Poly1305 ciphertext of the packed model. Integers are big-endian. All that stands
before the ciphertext is associated data, after what the model belongs to: no envelope can be changed, added or left out
by anybody who has not the content key. AEAD: draft-irtf-cfrg-xchacha-03; sealed box: libsodium's crypto_box_seal.

Who sealed it can still seal something else to one member than to the others: what each opens has to be held against the
commitment on chain.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
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
from marketplace.updates.codec import packed_model_bytes, unpack_model
from marketplace.updates.round_context import RoundContext
from marketplace.updates.sealing import KEY_BYTES, SEALED_KEY_BYTES, EncryptionKey, seal_key

MAGIC = b"FSM1"
DOMAIN = b"fairshare/model/v1"
MAX_RECIPIENTS = 1024  # 112 bytes each
ENVELOPE_BYTES = KEY_BYTES + SEALED_KEY_BYTES
NONCE_BYTES: int = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
TAG_BYTES: int = crypto_aead_xchacha20poly1305_ietf_ABYTES

_START = struct.Struct(">4sH")


def most_sealed_bytes(length: int) -> int:
    """Size in bytes of a sealed model of `length` values with the most envelopes: a fetch needs no more."""
    return _head_bytes(MAX_RECIPIENTS) + packed_model_bytes(length) + TAG_BYTES


@dataclass(frozen=True)
class ModelContext(RoundContext):
    """What a sealed model belongs to: `round` is the one that made it. Raises BAD_INPUT for values out of range."""

    of = "a model"

    def associated_data(self, head: bytes) -> bytes:
        """The AEAD's associated data: 80 bytes, integers big-endian, and the head."""
        return DOMAIN + self.packed() + head


@dataclass(frozen=True)
class Seal:
    """What one model is sealed under: with it a second try makes the same bytes. Never for two models."""

    content_key: bytes  # 32
    head: bytes  # all before the ciphertext

    def to_bytes(self) -> bytes:
        """For a journal: it holds the key."""
        return self.content_key + self.head

    @classmethod
    def from_bytes(cls, data: bytes) -> Seal:
        """What `to_bytes` wrote."""
        return cls(data[:KEY_BYTES], data[KEY_BYTES:])

    def __repr__(self) -> str:  # logs must not hold the key
        return f"Seal(recipients={len(recipients_of(self.head))})"


def new_seal(recipients: Iterable[bytes]) -> Seal:
    """A fresh content key in an envelope for each of these public keys (32 bytes), which come from strangers.

    A key that nothing can be sealed to (wrong length, a point of small order) gets none: nobody could open it. Raises
    TOO_LARGE beyond `MAX_RECIPIENTS`, BAD_INPUT where no recipient is left.
    """
    content_key = random(KEY_BYTES)
    envelopes = []
    for public in sorted(set(recipients)):
        try:
            envelopes.append(public + seal_key(content_key, public))
        except FairshareError as error:
            if error.reason is not Reason.INTEGRITY:
                raise
    if len(envelopes) > MAX_RECIPIENTS:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"a model cannot be sealed to {len(envelopes)} keys",
            f"the limit is {MAX_RECIPIENTS}",
        )
    if not envelopes:
        raise FairshareError(
            Reason.BAD_INPUT,
            "there is nobody to seal the model to",
            "the owner's key is missing from the spec",
        )
    return Seal(content_key, b"".join((_START.pack(MAGIC, len(envelopes)), *envelopes, random(NONCE_BYTES))))


def can_be_sealed_to(public: bytes) -> bool:
    """Whether a public key from a stranger is one that `new_seal` makes an envelope for."""
    try:
        seal_key(bytes(KEY_BYTES), public)
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        return False
    return True


def seal_model(packed: bytes, seal: Seal, context: ModelContext) -> bytes:
    """The blob that is published: the same for the same arguments."""
    return seal.head + crypto_aead_xchacha20poly1305_ietf_encrypt(
        packed, context.associated_data(seal.head), seal.head[-NONCE_BYTES:], seal.content_key
    )


def recipients_of(blob: bytes) -> tuple[bytes, ...]:
    """The public keys that a sealed model has envelopes for, ascending. INTEGRITY for no sealed model."""
    if len(blob) < _START.size:
        raise _no_model("it has no head")
    magic, count = _START.unpack_from(blob)
    if magic != MAGIC:
        raise _no_model("it does not start with FSM1")
    if not 0 < count <= MAX_RECIPIENTS or len(blob) < _head_bytes(count):
        raise _no_model(f"it states {count} envelopes")
    keys = tuple(blob[at : at + KEY_BYTES] for at in (_at(index) for index in range(count)))
    if any(left >= right for left, right in itertools.pairwise(keys)):
        raise _no_model("its envelopes are not in order")
    return keys


def open_model(blob: bytes, key: EncryptionKey, context: ModelContext, length: int) -> npt.NDArray[np.int32]:
    """The model, int32 [length], in a blob from anyone.

    Raises NOT_FOUND where there is no envelope for this key, INTEGRITY for everything else that is not a model of that
    context and length. Whether it is the committed one is for the caller to check.
    """
    keys = recipients_of(blob)
    head_bytes = _head_bytes(len(keys))
    wanted = head_bytes + packed_model_bytes(length) + TAG_BYTES
    if len(blob) != wanted:
        raise _no_model(f"{len(blob)} bytes where {wanted} are due")
    if key.public not in keys:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"the model of round {context.round} is not sealed to this key",
            "use the key of one who was a member when that round opened",
        )
    box_at = _at(keys.index(key.public)) + KEY_BYTES
    content_key = key.open_box(blob[box_at : box_at + SEALED_KEY_BYTES])
    if len(content_key) != KEY_BYTES:
        raise _no_model("its envelope does not hold a content key")
    head = blob[:head_bytes]
    try:
        packed = crypto_aead_xchacha20poly1305_ietf_decrypt(
            blob[head_bytes:], context.associated_data(head), head[-NONCE_BYTES:], content_key
        )
    except CryptoError:
        raise _no_model("it is damaged, belongs elsewhere, or was sealed falsely to this member") from None
    return unpack_model(packed, length)


def _head_bytes(recipients: int) -> int:
    return _at(recipients) + NONCE_BYTES


def _at(index: int) -> int:
    return _START.size + index * ENVELOPE_BYTES


def _no_model(cause: str) -> FairshareError:
    return FairshareError(Reason.INTEGRITY, f"not the sealed model that is due: {cause}")
