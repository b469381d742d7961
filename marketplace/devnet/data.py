"""Real data for a devnet's parties, as the .npz files that they would bring themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marketplace.learning import datasets, split
from marketplace.learning.data import Dataset, save_npz

EVALUATION = "evaluation.npz"
VALIDATION = "validation.npz"
LARGEST_EVALUATION = 2_000  # rows: scoring a round's model should not hold up a demo


@dataclass(frozen=True)
class Parts:
    """Files of a devnet's parties. The owner's validation set is a part of the training set, alike in size."""

    trainers: tuple[Path, ...]
    validation: Path
    evaluation: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return (*self.trainers, self.validation, self.evaluation)


def write_parts(folder: Path, dataset: str, parts: int, seed: int, skew: float | None = None) -> Parts:
    """Splits the training set among `parts` trainers and the owner, alike in distribution.

    `skew`: the trainers' by Dirichlet(skew) instead. Raises BAD_INPUT, NOT_FOUND, BAD_DATA as `datasets.load` does.
    """
    training, held_out = datasets.load(dataset)
    *shares, validation = split.iid(training, parts + 1, seed)
    if skew is not None:
        X, y = np.concatenate([share.X for share in shares]), np.concatenate([share.y for share in shares])
        shares = split.dirichlet(Dataset(X, y), parts, skew, seed)
    folder.mkdir(parents=True, exist_ok=True)
    files = Parts(
        tuple(folder / f"trainer-{i}.npz" for i in range(parts)), folder / VALIDATION, folder / EVALUATION
    )
    for path, part in zip(files.trainers, shares, strict=True):
        save_npz(path, part)
    save_npz(files.validation, validation)
    save_npz(files.evaluation, held_out.rows(np.arange(min(len(held_out), LARGEST_EVALUATION))))
    return files
