"""Small tables of people and things, as firms have them: scikit-learn's, which are in its wheel."""

from __future__ import annotations

import numpy as np

from marketplace.learning.data import Dataset
from marketplace.spec.sections import TaskSection

NAMES = ("breast-cancer", "wine")  # 569 rows of 30 columns in 2 classes, 178 of 13 in 3


def load(name: str) -> Dataset:
    """All rows of a table, each column of mean 0 and deviation 1."""
    from sklearn import datasets

    bunch = {"breast-cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}[name]()
    X = (bunch.data - bunch.data.mean(0)) / bunch.data.std(0)
    return Dataset(X.astype(np.float32), bunch.target.astype(np.int64))


def task(name: str, template: TaskSection) -> TaskSection:
    """The tabular template's task for such a table, whose columns are all of numbers and are normalised already."""
    data = load(name)
    columns = data.X.shape[1]
    changes = {
        "features": columns,
        "classes": int(data.y.max()) + 1,
        "categories": (0,) * columns,
        "mean": (0.0,) * columns,
        "scale": (1.0,) * columns,
    }
    return template.model_copy(update=changes)
