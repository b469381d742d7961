"""The task `cnn`: a convolutional network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketplace.learning import draws
from marketplace.learning.tasks.layers import INITIAL, convolution, linear, vector_of, with_vector
from marketplace.learning.tasks.options import integer, refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Cnn:
    """Two convolutions of 3 x 3, each with ReLUs and maxima over windows of 2 x 2, a hidden layer, a linear layer.

    For square grey images; the second convolution has twice the first's `channels`.
    """

    features: int
    classes: int
    channels: int
    hidden: int
    name = "cnn"

    @property
    def side(self) -> int:
        """Of an image, in pixels."""
        return math.isqrt(self.features)

    @property
    def inputs(self) -> int:
        """Width of the hidden layer's input."""
        return 2 * self.channels * (self.side // 4) ** 2

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Numbers that each output of a layer is made from, and its outputs."""
        first, second = self.channels, 2 * self.channels
        return (9, first), (9 * first, second), (self.inputs, self.hidden), (self.hidden, self.classes)

    @property
    def length(self) -> int:
        """Weights and biases of all layers."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    def initial(self, seed: int) -> Floats:
        """All layers but the last are drawn from `seed`; biases and the last layer start at zero."""
        parts = []
        *drawn, (inputs, outputs) = self.layers
        for number, layer in enumerate(drawn):
            parts += [draws.layer((INITIAL, seed, number), *layer).ravel(), np.zeros(layer[1])]
        return np.concatenate([*parts, np.zeros((inputs + 1) * outputs)])

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]."""
        from torch import nn

        return with_vector(nn.Sequential(*self.body(), linear(self.hidden, self.classes)), vector)

    def body(self) -> list[nn.Module]:
        """All but the output layer, its numbers unset: float32 [n, features] to [n, hidden]."""
        from torch import nn

        return [
            nn.Unflatten(1, (1, self.side, self.side)),
            convolution(1, self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            convolution(self.channels, 2 * self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            linear(self.inputs, self.hidden),
            nn.ReLU(),
        ]

    @property
    def body_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the body's numbers, in the module's order."""
        first, second = self.channels, 2 * self.channels
        return {
            "first.weight": (first, 1, 3, 3),
            "first.bias": (first,),
            "second.weight": (second, first, 3, 3),
            "second.bias": (second,),
            "hidden.weight": (self.hidden, self.inputs),
            "hidden.bias": (self.hidden,),
        }

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def cnn(section: TaskSection) -> Task:
    """A convolutional network for square grey images of at least 4 x 4. Options:

    `channels` (32): of the first convolution, the second has twice as many; `hidden` (320): width of the hidden layer.
    """
    refuse_unknown(section, ("channels", "hidden"))
    channels = integer(section, "channels", 32, 1, 1024)
    hidden = integer(section, "hidden", 320, 1, 65_536)
    side = math.isqrt(section.features)
    if side * side != section.features or side < 4:
        raise bad_field("task.features", f"{section.features} are no square image of at least 4 x 4")
    return Cnn(section.features, section.classes, channels, hidden)
