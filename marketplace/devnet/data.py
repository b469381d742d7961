"""Real data for a devnet's parties, as the .npz files that they would bring themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marketplace.learning import datasets, split
from marketplace.learning.data import save_npz

EVALUATION = "evaluation.npz"
LARGEST_EVALUATION = 2_000  # rows: scoring a round's model should not hold up a demo


def write_parts(folder: Path, dataset: str, parts: int, seed: int) -> tuple[Path, ...]:
    """Splits the training set among `parts` trainers, alike in distribution; the evaluation set comes last.

    Raises BAD_INPUT, NOT_FOUND, BAD_DATA as `datasets.load` does.
    """
    training, held_out = datasets.load(dataset)
    evaluation = held_out.rows(np.arange(min(len(held_out), LARGEST_EVALUATION)))
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for i, part in enumerate(split.iid(training, parts, seed)):
        written.append(folder / f"trainer-{i}.npz")
        save_npz(written[-1], part)
    save_npz(folder / EVALUATION, evaluation)
    return (*written, folder / EVALUATION)
