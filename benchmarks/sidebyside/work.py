"""What is trained, and where everybody finds it: without torch, as who only looks on need not load it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = "SIDEBYSIDE_FOLDER"  # environment variable: where the work is
WORK, INITIAL, FINAL, MARKS = "work.json", "initial.npy", "final.npy", "marks.json"


@dataclass(frozen=True)
class Work:
    """Which network, and how it is trained. `kind`: mlp, one hidden layer, or cnn, two convolutions before it."""

    kind: Literal["mlp", "cnn"]
    hidden: int
    channels: int  # of the first convolution; the second has twice as many
    trainers: int
    rounds: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    seed: int  # trainer i has seed + i
    rows: int | None = None  # of each trainer's data; None: its whole share


def folder() -> Path:
    """Where the work is."""
    return Path(os.environ[FOLDER])


def read_work(where: Path) -> Work:
    """The work in a folder."""
    return Work(**json.loads((where / WORK).read_text("utf8")))
