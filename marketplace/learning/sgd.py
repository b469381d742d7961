"""Stochastic gradient descent with momentum: the numbers of `torch.optim.SGD`, without what torch.optim loads.

The first optimiser that is made imports torch's compiler: a second of a core and 70 MB, in each of the many processes
that share a machine. The update is one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


class Sgd:
    """v = momentum * v + gradient, v = gradient at first; p = p - learning_rate * v. Changes `parameters` in place."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, momentum: float = 0.0) -> None:
        self._parameters = list(parameters)
        self._lr, self._momentum = lr, momentum
        self._velocities: dict[int, torch.Tensor] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def step(self) -> None:
        """One step along the gradients; a parameter without one stays."""
        import torch

        with torch.no_grad():
            for number, parameter in enumerate(self._parameters):
                if parameter.grad is not None:
                    parameter.add_(self._direction(number, parameter.grad), alpha=-self._lr)

    def _direction(self, number: int, gradient: torch.Tensor) -> torch.Tensor:
        if not self._momentum:
            return gradient
        if number in self._velocities:
            return self._velocities[number].mul_(self._momentum).add_(gradient)
        self._velocities[number] = gradient.detach().clone()
        return self._velocities[number]
