"""What a result on the sketch path names: the new model, its leaves, the merged updates' (docs/sketch.md, "Files").

Canonical JSON: {"leaves": CID, "model": CID, "updates": CID, "version": 2}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import digest_of

MAX_MANIFEST_BYTES = 256  # it has about 200

_VERSION = 2
_FIELDS = {"leaves", "model", "updates", "version"}


@dataclass(frozen=True)
class Manifest:
    """CIDs (v0) of the model, its leaves, and the merged updates' leaves, by slot; BAD_INPUT for anything else.

    `updates`: None where nothing was merged.
    """

    model: str
    leaves: str
    updates: str | None

    def __post_init__(self) -> None:
        for cid in (self.model, self.leaves, self.updates):
            if cid is not None:
                digest_of(cid)

    def to_bytes(self) -> bytes:
        """The file."""
        document = {
            "leaves": self.leaves,
            "model": self.model,
            "updates": self.updates,
            "version": _VERSION,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The manifest in a file from anyone; INTEGRITY unless it is exactly what `to_bytes` writes."""
        if len(data) > MAX_MANIFEST_BYTES:
            raise _no_manifest(f"it has over {MAX_MANIFEST_BYTES} bytes")
        try:
            manifest = _read(json.loads(data.decode("ascii")))
        except (ValueError, RecursionError) as error:
            raise _no_manifest(type(error).__name__) from error
        except FairshareError as error:
            raise _no_manifest(error.message) from error
        if manifest.to_bytes() != data:
            raise _no_manifest("it is not written canonically")
        return manifest


def _read(document: Any) -> Manifest:
    if not isinstance(document, dict) or set(document) != _FIELDS:
        raise ValueError("fields")
    model, leaves, updates = document["model"], document["leaves"], document["updates"]
    if not (isinstance(model, str) and isinstance(leaves, str) and isinstance(updates, str | None)):
        raise ValueError("a CID is text")
    return Manifest(model, leaves, updates)


def _no_manifest(cause: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"not a round's manifest: {cause}", "the aggregator that published it lies"
    )
