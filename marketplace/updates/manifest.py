"""What a result on the sketch path names: the new model, its leaves, the merged updates' (docs/sketch.md, "Files").

Canonical JSON: {"leaves": CID, "model": CID, "updates": {"slot": CID, ..}, "version": 1}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import digest_of

MAX_SLOTS = 16
MAX_MANIFEST_BYTES = 2048  # with every slot merged it has about 1,050

_VERSION = 1
_FIELDS = {"leaves", "model", "updates", "version"}


@dataclass(frozen=True)
class Manifest:
    """CIDs (v0) of the model, its leaves, and by slot the merged updates' leaves. BAD_INPUT for anything else."""

    model: str
    leaves: str
    updates: Mapping[int, str]

    def __post_init__(self) -> None:
        for slot in self.updates:
            if not 0 <= slot < MAX_SLOTS:
                raise FairshareError(Reason.BAD_INPUT, f"there is no slot {slot} to merge")
        for cid in (self.model, self.leaves, *self.updates.values()):
            digest_of(cid)

    def to_bytes(self) -> bytes:
        """The file."""
        document = {
            "leaves": self.leaves,
            "model": self.model,
            "updates": {str(slot): cid for slot, cid in self.updates.items()},
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
    if (
        not isinstance(document, dict)
        or set(document) != _FIELDS
        or not isinstance(document["updates"], dict)
    ):
        raise ValueError("fields")
    updates = document["updates"]
    if not all(isinstance(cid, str) for cid in (document["model"], document["leaves"], *updates.values())):
        raise ValueError("a CID is text")
    return Manifest(document["model"], document["leaves"], {int(slot): cid for slot, cid in updates.items()})


def _no_manifest(cause: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"not a round's manifest: {cause}", "the aggregator that published it lies"
    )
