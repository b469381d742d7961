"""Writes the folders beside it with the real `datasets`: `python make.py DIGITS.npz FOLDER`.

Run in an environment of its own (`pip install datasets pillow`), as the project neither has that package nor needs it.
DIGITS.npz: `save_npz` of `tests.support.data_files.digits(2 * ROWS)`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

ROWS = 10

NAMES = [f"digit {i}" for i in range(10)]


def main(digits: Path, folder: Path) -> None:
    with np.load(digits) as arrays:
        X, y = arrays["X"], arrays["y"]
    pixels = np.rint(X.reshape(-1, 8, 8) * 255).astype(np.uint8)

    floats = datasets.Features(
        {"x": datasets.Sequence(datasets.Value("float32")), "label": datasets.Value("int64")}
    )
    rows = {"x": list(X[:ROWS]), "label": y[:ROWS]}
    datasets.Dataset.from_dict(rows, features=floats).save_to_disk(folder / "floats", num_shards=2)

    arrays_ = datasets.Features(
        {"x": datasets.Array2D((8, 8), "uint8"), "label": datasets.ClassLabel(names=NAMES)}
    )
    rows = {"x": list(pixels[:ROWS]), "label": y[:ROWS]}
    datasets.Dataset.from_dict(rows, features=arrays_).save_to_disk(folder / "arrays")

    images = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    parts = {}
    for name, part in (("train", slice(0, ROWS)), ("test", slice(ROWS, 2 * ROWS))):
        rows = {"image": [Image.fromarray(image) for image in pixels[part]], "label": y[part]}
        parts[name] = datasets.Dataset.from_dict(rows, features=images)
    datasets.DatasetDict(parts).save_to_disk(folder / "images")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
