"""CIDv0: names of blobs (dag-pb, sha2-256, Kubo's default chunks), and their digests on the chain."""

from __future__ import annotations

import base64

import base58
from aleph_cid import compute_cid

from marketplace.errors import FairshareError, Reason

DIGEST_BYTES = 32
_CIDV0_CHARACTERS = 46
_MULTIHASH = b"\x12\x20"  # sha2-256, 32 bytes
_CIDV1_RAW = b"\x01\x55"


def cid_of(data: bytes) -> str:
    """The CIDv0 that Kubo's default `add` gives `data`; covers every byte, whatever the size."""
    return compute_cid(data)


def digest_of(cid: str) -> bytes:
    """The 32-byte sha2-256 digest of a CIDv0.

    Raises BAD_INPUT for anything but the one canonical text of a CIDv0: 46 base58 characters, starting Qm.
    """
    if len(cid) == _CIDV0_CHARACTERS and cid.isascii():
        try:
            decoded = base58.b58decode(cid)
        except ValueError:
            decoded = b""
        digest = decoded[len(_MULTIHASH) :]
        # encoded again, as the decoder overlooks spaces
        if len(digest) == DIGEST_BYTES and from_digest(digest) == cid:
            return digest
    raise FairshareError(
        Reason.BAD_INPUT, f"not a CIDv0: {cid[:64]!r}", "a CIDv0 is 46 characters and starts with Qm"
    )


def from_digest(digest: bytes) -> str:
    """The CIDv0 with this 32-byte digest. Raises BAD_INPUT for another length."""
    if len(digest) != DIGEST_BYTES:
        raise FairshareError(Reason.BAD_INPUT, f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    return base58.b58encode(_MULTIHASH + digest).decode("ascii")


def raw_block_cid(digest: bytes) -> str:
    """CIDv1 (raw, base32) of the block with this digest: names the block's bytes, whatever they encode."""
    text = base64.b32encode(_CIDV1_RAW + _MULTIHASH + digest).decode("ascii")
    return "b" + text.lower().rstrip("=")
