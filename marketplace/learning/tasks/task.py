"""What a task is: the meaning of a flat vector of trainable parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]


@runtime_checkable
class Task(Protocol):
    """A classifier whose trainable parameters are one flat vector.

    Everything but that vector follows from the spec, and from the files that it names by hash, bit for bit the same
    on every machine.
    """

    @property
    def name(self) -> str: ...

    @property
    def features(self) -> int: ...

    @property
    def classes(self) -> int: ...

    @property
    def length(self) -> int:
        """d, the length of the trainable vector."""
        ...

    def initial(self, seed: int) -> Floats:
        """The trainable vector before the first round, float64[d]."""
        ...

    def module(self, vector: Floats) -> nn.Module:
        """A model with these trainable parameters: float32 [n, features] to logits [n, classes]."""
        ...

    def vector(self, module: nn.Module) -> Floats:
        """The trainable parameters of a model made by `module`, float64[d]."""
        ...
