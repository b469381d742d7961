"""The built-in networks.

A trainable vector lists, for each trained layer, its weights [outputs, inputs] row by row, then its biases; a
convolution's weights are [outputs, inputs, 3, 3].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.learning import draws

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]

FROZEN, INITIAL = 1, 2  # what a layer's numbers are drawn for


@dataclass(frozen=True)
class Softmax:
    """Multinomial logistic regression: one linear layer, starting at zero."""

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
        return _with_vector(_linear(self.features, self.classes), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return _vector_of(module)


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

        hidden = _linear(self.inputs, self.hidden)
        if self.head_only:
            weights = draws.layer((FROZEN, self.draw), self.inputs, self.hidden)
            biases = draws.uniform((FROZEN, self.draw, 1), self.hidden, 1.0)
            with torch.no_grad():
                hidden.weight.copy_(torch.from_numpy(weights))
                hidden.bias.copy_(torch.from_numpy(biases))
            hidden.requires_grad_(False)
        layers: list[nn.Module] = [hidden, nn.ReLU(), _linear(self.hidden, self.classes)]
        if self.pool > 1:
            side = round(self.features**0.5)
            layers = [nn.Unflatten(1, (1, side, side)), nn.AvgPool2d(self.pool), nn.Flatten(), *layers]
        return _with_vector(nn.Sequential(*layers), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return _vector_of(module)


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

        layers = [
            nn.Unflatten(1, (1, self.side, self.side)),
            _convolution(1, self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            _convolution(self.channels, 2 * self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            _linear(self.inputs, self.hidden),
            nn.ReLU(),
            _linear(self.hidden, self.classes),
        ]
        return _with_vector(nn.Sequential(*layers), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return _vector_of(module)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A layer whose numbers the caller sets: torch draws none, so its generator is left alone."""
    from torch import nn
    from torch.nn.utils import skip_init

    layer = skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    assert isinstance(layer, nn.Linear)
    return layer


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3 x 3, as large as its input; as `_linear`."""
    from torch import nn
    from torch.nn.utils import skip_init

    layer = skip_init(nn.Conv2d, inputs, outputs, 3, padding=1)  # type: ignore[no-untyped-call]
    assert isinstance(layer, nn.Conv2d)
    return layer


def _with_vector(module: nn.Module, vector: Floats) -> nn.Module:
    import torch
    from torch.nn.utils import vector_to_parameters

    trained = [p for p in module.parameters() if p.requires_grad]
    length = sum(p.numel() for p in trained)
    if vector.shape != (length,):
        raise ValueError(f"a vector of {length} is needed, not of shape {vector.shape}")
    with torch.no_grad():
        vector_to_parameters(torch.from_numpy(vector.astype(np.float32)), trained)
    return module


def _vector_of(module: nn.Module) -> Floats:
    from torch.nn.utils import parameters_to_vector

    flat = parameters_to_vector([p for p in module.parameters() if p.requires_grad])
    vector: Floats = flat.detach().cpu().numpy().astype(np.float64)
    return vector
