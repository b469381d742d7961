"""The task `softmax`: multinomial logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketplace.learning.tasks.layers import linear, vector_of, with_vector
from marketplace.learning.tasks.options import refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Softmax:
    """One linear layer, starting at zero."""

    features: int
    classes: int
    name = "softmax"

    @property
    def length(self) -> int:
        """features * classes + classes."""
        return (self.features + 1) * self.classes

    def initial(self, seed: int) -> Floats:
        """Zeros: the loss is convex, so no start is better and `seed` does not matter."""
        return np.zeros(self.length)

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]."""
        return with_vector(linear(self.features, self.classes), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def softmax(section: TaskSection) -> Task:
    """Multinomial logistic regression; d = features * classes + classes. No options."""
    refuse_unknown(section, ())
    return Softmax(section.features, section.classes)
