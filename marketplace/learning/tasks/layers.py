"""What networks are made of, and how a flat vector goes into one and comes out.

A trainable vector lists, for each trained layer, its weights [outputs, inputs] row by row, then its biases; a
convolution's weights are [outputs, inputs, 3, 3].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from marketplace.learning.tasks.task import Floats

if TYPE_CHECKING:
    from torch import nn

Layer = TypeVar("Layer", bound="nn.Module")

FROZEN, INITIAL = 1, 2  # what a layer's numbers are drawn for (marketplace.learning.draws)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A layer whose numbers the caller sets: torch draws none, so its generator is left alone."""
    from torch import nn

    return _in_memory(nn.Linear(inputs, outputs, device="meta"))


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3 x 3, as large as its input; as `linear`."""
    from torch import nn

    return _in_memory(nn.Conv2d(inputs, outputs, 3, padding=1, device="meta"))


def _in_memory(layer: Layer) -> Layer:
    """As `torch.nn.utils.skip_init` does, which imports sympy for it: half a second of each process."""
    import torch

    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, torch.nn.Parameter(torch.empty(parameter.shape)))
    return layer


def trained(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that are trained, in the module's order."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def set_vector(parameters: Sequence[nn.Parameter], vector: Floats) -> None:
    """Write `vector`, float64[d], into parameters of d numbers. Raises ValueError for another length."""
    import torch
    from torch.nn.utils import vector_to_parameters

    length = sum(parameter.numel() for parameter in parameters)
    if vector.shape != (length,):
        raise ValueError(f"a vector of {length} is needed, not of shape {vector.shape}")
    with torch.no_grad():
        vector_to_parameters(torch.from_numpy(vector.astype(np.float32)), parameters)


def get_vector(parameters: Sequence[nn.Parameter]) -> Floats:
    """The numbers of `parameters`, float64[d]."""
    from torch.nn.utils import parameters_to_vector

    vector: Floats = parameters_to_vector(parameters).detach().cpu().numpy().astype(np.float64)
    return vector


def with_vector(module: nn.Module, vector: Floats) -> nn.Module:
    """`module` with `vector`, float64[d], as its trained parameters. Raises ValueError for another length."""
    set_vector(trained(module), vector)
    return module


def vector_of(module: nn.Module) -> Floats:
    """The trained parameters of `module`, float64[d]."""
    return get_vector(trained(module))
