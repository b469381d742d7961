"""The list behind an aggregator's batch: signed digests by slot, published as a file.

Canonical JSON: {"entries": [{"blob", "digest", "signature", "slot"}, ..], "version": 1}, slots ascending, bytes in hex.
The chain holds the root over digests and signatures, and the file's CID.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.digests import batch_root

MAX_SLOTS = 16
MAX_SIGNATURE_BYTES = 1024  # a key's has 65; wallets (ERC-1271) have their own
MAX_BATCH_BYTES = MAX_SLOTS * (2 * MAX_SIGNATURE_BYTES + 512)

_DIGEST_BYTES = 32
_FIELDS = {"blob", "digest", "signature", "slot"}


@dataclass(frozen=True)
class BatchEntry:
    """A trainer's submission as it handed it to the aggregator."""

    slot: int
    digest: bytes  # 32: of its commitment and address
    blob: bytes  # 32: digest of the sealed update's CIDv0
    signature: bytes  # EIP-712, of project, round and digest


@dataclass(frozen=True)
class Batch:
    """A cohort's batch. Raises BAD_INPUT unless the entries stand by slot and have the right sizes."""

    entries: tuple[BatchEntry, ...]

    def __post_init__(self) -> None:
        slots = [entry.slot for entry in self.entries]
        if not slots or slots != sorted(set(slots)) or not 0 <= slots[0] <= slots[-1] < MAX_SLOTS:
            raise FairshareError(Reason.BAD_INPUT, f"a batch has a slot once, ascending, not {slots}")
        for entry in self.entries:
            if not len(entry.digest) == len(entry.blob) == _DIGEST_BYTES:
                raise FairshareError(Reason.BAD_INPUT, "digests in a batch have 32 bytes")
            if not 0 < len(entry.signature) <= MAX_SIGNATURE_BYTES:
                raise FairshareError(
                    Reason.BAD_INPUT, f"a signature in a batch has 1 to {MAX_SIGNATURE_BYTES} bytes"
                )

    @property
    def slots(self) -> int:
        """Mask of its slots."""
        return sum(1 << entry.slot for entry in self.entries)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """By slot, ascending."""
        return tuple(entry.digest for entry in self.entries)

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """By slot, ascending."""
        return tuple(entry.signature for entry in self.entries)

    @property
    def root(self) -> bytes:
        """What `postBatch` takes."""
        return batch_root(self.digests, self.signatures)

    def entry(self, slot: int) -> BatchEntry | None:
        """The entry of a slot."""
        return next((entry for entry in self.entries if entry.slot == slot), None)

    def pack(self) -> bytes:
        """The file."""
        entries = [
            {
                "blob": entry.blob.hex(),
                "digest": entry.digest.hex(),
                "signature": entry.signature.hex(),
                "slot": entry.slot,
            }
            for entry in self.entries
        ]
        return json.dumps({"entries": entries, "version": 1}, sort_keys=True, separators=(",", ":")).encode()


def unpack_batch(data: bytes) -> Batch:
    """The batch in a file from anyone; INTEGRITY unless it is exactly what `pack` writes."""
    if len(data) > MAX_BATCH_BYTES:
        raise _no_batch(f"it has over {MAX_BATCH_BYTES} bytes")
    try:
        document = json.loads(data.decode("ascii"))
        batch = Batch(tuple(_entry(fields) for fields in document["entries"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _no_batch(f"{type(error).__name__}") from error
    except FairshareError as error:
        raise _no_batch(error.message) from error
    if batch.pack() != data:
        raise _no_batch("it is not written canonically")
    return batch


def _entry(fields: Any) -> BatchEntry:
    if not isinstance(fields, dict) or set(fields) != _FIELDS or type(fields["slot"]) is not int:
        raise ValueError("fields")
    digest, blob, signature = (bytes.fromhex(fields[name]) for name in ("digest", "blob", "signature"))
    return BatchEntry(fields["slot"], digest, blob, signature)


def _no_batch(cause: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"not the list of a batch: {cause}", "the aggregator that published it lies"
    )
