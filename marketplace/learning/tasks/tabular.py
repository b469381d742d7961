"""The task `tabular`: columns of numbers and of categories, under hidden layers of ReLUs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from marketplace.learning import draws
from marketplace.learning.tasks.layers import INITIAL, linear, vector_of, with_vector
from marketplace.learning.tasks.options import integer, integers, numbers, refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import MAX_OPTION_NUMBERS, TaskSection

if TYPE_CHECKING:
    from torch import nn

OPTIONS = ("categories", "mean", "scale", "embedding", "hidden", "layers")
MAX_CATEGORIES = 65_536  # of one column: float32 holds such numbers exactly
MAX_INPUTS = 1 << 20  # of the first hidden layer


@dataclass(frozen=True)
class Tabular:
    """Numbers are normalised by `mean` and `scale`, categories become one-hot or trained vectors.

    `categories`: of each column, 0 for one of numbers. `mean`, `scale`: of each column of numbers, in order.
    `embedding`: width of a category's vector; 0: one-hot.
    """

    features: int
    classes: int
    categories: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    embedding: int
    hidden: int
    layers: int
    name = "tabular"

    @property
    def values(self) -> int:
        """Categories of all columns together."""
        return sum(self.categories)

    @property
    def inputs(self) -> int:
        """Width of the first hidden layer's input."""
        of_categories = sum(map(bool, self.categories)) * self.embedding if self.embedding else self.values
        return len(self.mean) + of_categories

    @property
    def widths(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer."""
        between = (self.inputs, *[self.hidden] * self.layers, self.classes)
        return tuple(pairwise(between))

    @property
    def length(self) -> int:
        """The categories' vectors, where they are trained, and all layers' weights and biases."""
        return self.values * self.embedding + sum((inputs + 1) * outputs for inputs, outputs in self.widths)

    def initial(self, seed: int) -> Floats:
        """Categories' vectors (of variance 1) and hidden layers drawn from `seed`; biases and the last layer zero."""
        parts = [draws.uniform((INITIAL, seed, 0), self.values * self.embedding, 3.0**0.5)]
        *drawn, (inputs, outputs) = self.widths
        for number, layer in enumerate(drawn, start=1):
            parts += [draws.layer((INITIAL, seed, number), *layer).ravel(), np.zeros(layer[1])]
        return np.concatenate([*parts, np.zeros((inputs + 1) * outputs)])

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]. Column by column: a number, or a category's number from 0.

        A category that there is not, such as -1 for one that is missing, counts for nothing.
        """
        from torch import nn

        from marketplace.learning.tasks.tabular_columns import Columns

        layers: list[nn.Module] = [Columns(self.categories, self.mean, self.scale, self.embedding)]
        for inputs, outputs in self.widths:
            layers += [linear(inputs, outputs), nn.ReLU()]
        return with_vector(nn.Sequential(*layers[:-1]), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def tabular(section: TaskSection) -> Task:
    """A network for a table. Options:

    `hidden`: width of the hidden layers; `layers` (1): how many; `categories` (all 0): for each column, how many
    categories it has, 0 where it holds numbers; `mean`, `scale` (0, 1): for each column of numbers, what is taken off
    it, and what it is then divided by; `embedding` (0): width of a category's trained vector, 0: one-hot.
    """
    refuse_unknown(section, OPTIONS)
    columns = section.features
    if columns > MAX_OPTION_NUMBERS:
        raise bad_field("task.features", f"a table has at most {MAX_OPTION_NUMBERS} columns")
    categories = integers(section, "categories", columns, 0, MAX_CATEGORIES) or (0,) * columns
    if 1 in categories:
        raise bad_field("task.categories", "a column with one category says nothing: leave it out of X")
    of_numbers = categories.count(0)
    task = Tabular(
        columns,
        section.classes,
        categories,
        _constants(section, "mean", of_numbers, -1e30, 0.0),
        _constants(section, "scale", of_numbers, 1e-30, 1.0),
        integer(section, "embedding", 0, 0, 256),
        integer(section, "hidden", None, 1, 65_536),
        integer(section, "layers", 1, 1, 8),
    )
    if task.embedding and not task.values:
        raise bad_field("task.embedding", "no column has categories")
    if max(task.inputs, task.values) > MAX_INPUTS:
        raise bad_field("task.categories", f"together with the numbers they are over {MAX_INPUTS}")
    return task


def _constants(section: TaskSection, name: str, count: int, low: float, default: float) -> tuple[float, ...]:
    given = numbers(section, name, count, low, 1e30)
    return (default,) * count if given is None else given
