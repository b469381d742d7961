"""Why a blob is kept: of which project and round, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NO_PROJECT = -1  # of what is kept before its project has a number


class Purpose(StrEnum):
    """What a blob is to the project that it is kept for."""

    DRAFT = "draft"  # a file of a project that is being posted
    SPEC = "spec"  # the spec and the files that it names
    MODEL = "model"  # a round's model; on the sketch path its manifest and leaves too
    PREVIEW = "preview"  # a model shown before its proof, which may never become a round's
    UPDATE = "update"  # a sealed update or reference
    BATCH = "batch"  # the list of a batch
    VALIDATION = "validation"  # a revealed validation set


@dataclass(frozen=True)
class Why:
    """One reason to keep a blob. `round`: 0 where it belongs to the project as a whole."""

    project: int
    round: int
    purpose: Purpose
