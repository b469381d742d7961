"""Real data sets for demos and benchmarks: (training set, evaluation set), X scaled to [0, 1]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marketplace.errors import FairshareError, Reason
from marketplace.learning import idx
from marketplace.learning.data import Dataset
from marketplace.learning.split import hold_out

NAMES = ("digits", "fashion-mnist")
FASHION_MNIST = Path(
    "/usr/share/datasets/fashion-mnist"
)  # where Debian's package dataset-fashion-mnist puts it
HELD_OUT = 0.2
SPLIT_SEED = 0


def load(name: str, folder: Path | None = None) -> tuple[Dataset, Dataset]:
    """The data set called `name`; `folder` where it is not in its usual place."""
    if name == "digits":
        return digits()
    if name == "fashion-mnist":
        return fashion_mnist(folder)
    raise FairshareError(Reason.BAD_INPUT, f"there is no data set {name!r}", f"use one of {', '.join(NAMES)}")


def digits() -> tuple[Dataset, Dataset]:
    """scikit-learn's digits (in its wheel): 1,797 images of 8 x 8, a fifth of each class held out."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = (bunch.data / 16.0).astype(np.float32)
    return hold_out(Dataset(X, bunch.target.astype(np.int64)), HELD_OUT, SPLIT_SEED)


def fashion_mnist(folder: Path | None = None) -> tuple[Dataset, Dataset]:
    """Fashion-MNIST (Xiao et al., arXiv:1708.07747): 60,000 and 10,000 images of 28 x 28, its own split."""
    base = folder or FASHION_MNIST
    return _fashion(base, "train"), _fashion(base, "t10k")


def _fashion(folder: Path, part: str) -> Dataset:
    try:
        images = idx.read(folder / f"{part}-images-idx3-ubyte.gz", 3)
        labels = idx.read(folder / f"{part}-labels-idx1-ubyte.gz", 1)
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
            raise ValueError("images and labels do not belong together")
    except FileNotFoundError as error:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"Fashion-MNIST is not in {folder}",
            "on Debian: apt install dataset-fashion-mnist; or name the folder that holds its four .gz files",
        ) from error
    except (OSError, ValueError) as error:
        raise FairshareError(
            Reason.BAD_DATA, f"Fashion-MNIST in {folder}: {error}", "fetch these files anew"
        ) from error
    X = images.reshape(len(images), 28 * 28).astype(np.float32) / np.float32(255)
    return Dataset(X, labels.astype(np.int64))
