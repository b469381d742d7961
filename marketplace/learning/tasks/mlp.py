"""The task `mlp`: a network with one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketplace.learning import draws
from marketplace.learning.tasks.layers import FROZEN, INITIAL, linear, vector_of, with_vector
from marketplace.learning.tasks.options import choice, integer, refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Mlp:
    """Average pooling, a hidden layer of ReLUs, a linear layer.

    With `head_only` the hidden layer is random features (Rahimi and Recht, NIPS 2008), drawn from `draw`.
    """

    features: int
    classes: int
    hidden: int
    pool: int
    head_only: bool
    draw: int
    name = "mlp"

    @property
    def inputs(self) -> int:
        """Width of the hidden layer's input."""
        return self.features // self.pool**2

    @property
    def length(self) -> int:
        """Parameters of the trained layers."""
        head = (self.hidden + 1) * self.classes
        return head if self.head_only else head + (self.inputs + 1) * self.hidden

    def initial(self, seed: int) -> Floats:
        """A hidden layer drawn from `seed` where it is trained; biases and the output layer start at zero."""
        head = np.zeros((self.hidden + 1) * self.classes)
        if self.head_only:
            return head
        weights = draws.layer((INITIAL, seed), self.inputs, self.hidden)
        return np.concatenate([weights.ravel(), np.zeros(self.hidden), head])

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]."""
        import torch
        from torch import nn

        layers = self.body()
        if self.head_only:
            hidden = layers[-2]
            assert isinstance(hidden, nn.Linear)
            weights = draws.layer((FROZEN, self.draw), self.inputs, self.hidden)
            biases = draws.uniform((FROZEN, self.draw, 1), self.hidden, 1.0)
            with torch.no_grad():
                hidden.weight.copy_(torch.from_numpy(weights))
                hidden.bias.copy_(torch.from_numpy(biases))
            hidden.requires_grad_(False)
        return with_vector(nn.Sequential(*layers, linear(self.hidden, self.classes)), vector)

    def body(self) -> list[nn.Module]:
        """All but the output layer, its numbers unset: float32 [n, features] to [n, hidden]."""
        from torch import nn

        layers: list[nn.Module] = [linear(self.inputs, self.hidden), nn.ReLU()]
        if self.pool == 1:
            return layers
        side = round(self.features**0.5)
        return [nn.Unflatten(1, (1, side, side)), nn.AvgPool2d(self.pool), nn.Flatten(), *layers]

    @property
    def body_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the body's numbers, in the module's order."""
        return {"hidden.weight": (self.hidden, self.inputs), "hidden.bias": (self.hidden,)}

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def mlp(section: TaskSection) -> Task:
    """A network with one hidden layer of ReLUs. Options:

    `hidden`: its width; `pool` (1): X is a square image and is averaged over windows of this side first;
    `trained` ("all"): "head" keeps the hidden layer as drawn from `draw` (0) and trains the output layer.
    """
    refuse_unknown(section, ("hidden", "pool", "trained", "draw"))
    hidden = integer(section, "hidden", None, 1, 65_536)
    pool = integer(section, "pool", 1, 1, 64)
    draw = integer(section, "draw", 0, 0, 2**32 - 1)
    trained = choice(section, "trained", "all", ("all", "head"))
    side = int(section.features**0.5 + 0.5)
    if pool > 1 and (side * side != section.features or side % pool):
        raise bad_field(
            "task.pool", f"{section.features} features are no square image that divides by {pool}"
        )
    return Mlp(section.features, section.classes, hidden, pool, trained == "head", draw)
