"""Local training with differential privacy: DP-SGD (Abadi et al., CCS 2016, arXiv:1607.00133) through opacus.

Each row's gradient is clipped, the sum gets Gaussian noise, and both noise and batches come from a secret seed. What
leaves is the difference of the weights, which is made of those noisy sums alone.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.accounting import Spending, accountant, round_of
from marketplace.learning.data import Dataset
from marketplace.learning.devices import pick_device, torch_threads
from marketplace.learning.engine.determinism import determined, threads_of
from marketplace.learning.engine.feeding import tensors_on
from marketplace.learning.secret_draws import SecretDraws
from marketplace.learning.tasks import Task
from marketplace.learning.train import finite
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    import torch
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer

Floats = NDArray[np.float64]

GRADIENT_NUMBERS = 1 << 26  # in memory at a time, of all rows: 256 MiB


@dataclass(frozen=True)
class Noise:
    """What is added to the sum of a batch's gradients."""

    multiplier: float  # sigma
    max_grad_norm: float  # C, the Euclidean length that each row's gradient is clipped to


def private_delta(
    task: Task,
    weights: Floats,
    dataset: Dataset,
    training: TrainingSection,
    noise: Noise,
    secret: bytes,
    device: str = "auto",
    threads: int | None = None,
) -> Floats:
    """As `local_delta`, but differentially private: float64[d], not yet clipped.

    `secret`: 32 bytes that nobody else knows and that no other training was given; batches and noise follow from it.
    It costs `accounting.round_of(len(dataset), training, noise.multiplier)`. On the CPU the result is a function of the
    arguments alone. There is no engine to choose (`engine.checks`). Raises BAD_DATA where it diverges, TOOL_MISSING
    without opacus, BAD_INPUT as `check_private`.
    """
    import torch

    counted = accountant()
    cost = round_of(len(dataset), training, noise.multiplier)
    where, draws = pick_device(device), SecretDraws(secret)
    seed = int.from_bytes(hashlib.sha256(secret).digest()[:4], "big")  # of what the model draws itself
    with torch_threads(threads_of(training, threads)), determined(training, where, seed):
        start = weights.astype(np.float32).astype(np.float64)
        module = _wrapped(task, start, where)
        features, labels = tensors_on(where, dataset)
        trained = [p for p in module.parameters() if p.requires_grad]
        optimiser = _optimiser(
            torch.optim.SGD(trained, lr=training.learning_rate, momentum=training.momentum),
            noise,
            expected_rows=cost.sample_rate * len(dataset),
            draws=draws,
        )
        optimiser.attach_step_hook(counted.get_optimizer_hook_fn(sample_rate=cost.sample_rate))
        most = max(1, GRADIENT_NUMBERS // task.length)
        for _ in range(cost.steps):
            batch = draws.chosen(len(dataset), cost.sample_rate)
            for rows, is_last in _parts(batch, most):
                index = torch.from_numpy(rows).to(features.device)
                optimiser.zero_grad()
                _backward(module, trained, features[index].to(where), labels[index].to(where))
                dataset.touch(len(rows))
                optimiser.signal_skip_step(not is_last)
                optimiser.step()
        delta = task.vector(module.to_standard_module()) - start
    done = [Spending(*entry) for entry in counted.history]
    if done != [cost]:
        raise FairshareError(Reason.INTERNAL, f"training cost {done} where {cost} was accounted for")
    return finite(delta)


def check_private(task: Task) -> None:
    """Raises BAD_INPUT for a model that opacus cannot train (a plug-in with BatchNorm), TOOL_MISSING without opacus."""
    accountant()
    import torch

    _wrapped(task, task.initial(0), torch.device("cpu"))


def _wrapped(task: Task, vector: Floats, where: torch.device) -> GradSampleModule:
    from opacus import GradSampleModule
    from opacus.validators import ModuleValidator

    # opacus listens to each layer's outputs; that X itself needs no gradient is meant so.
    warnings.filterwarnings("ignore", message="Full backward hook is firing", category=UserWarning)
    module = task.module(vector).to(where).train()
    try:
        problems = [str(problem) for problem in ModuleValidator.validate(module)]
        if not problems:
            return GradSampleModule(module)
    except NotImplementedError as error:
        problems = [str(error)]
    raise FairshareError(
        Reason.BAD_INPUT,
        f"the task {task.name} cannot be trained with differential privacy: {'; '.join(problems)}",
        "rows must not meet in the model: GroupNorm in place of BatchNorm, and no buffers",
    )


def _optimiser(
    plain: torch.optim.Optimizer, noise: Noise, *, expected_rows: float, draws: SecretDraws
) -> DPOptimizer:
    """opacus' optimiser, but for where its noise comes from."""
    import torch
    from opacus.optimizers import DPOptimizer

    class SecretlyNoisy(DPOptimizer):  # type: ignore[misc]
        def add_noise(self) -> None:
            deviation = self.noise_multiplier * self.max_grad_norm
            for parameter in self.params:
                total = parameter.summed_grad
                drawn = torch.from_numpy(draws.normals(total.numel()) * deviation).to(total.dtype)
                parameter.grad = (total + drawn.to(total.device).view_as(total)).view_as(parameter)

    return SecretlyNoisy(
        plain,
        noise_multiplier=noise.multiplier,
        max_grad_norm=noise.max_grad_norm,
        expected_batch_size=expected_rows,
    )


def _backward(
    module: GradSampleModule,
    trained: list[torch.nn.Parameter],
    features: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    """Each row's gradient into `grad_sample`. An empty batch has none, and still gets its noise."""
    from torch import nn

    if not len(labels):
        for parameter in trained:
            parameter.grad_sample = parameter.new_zeros((0, *parameter.shape))  # type: ignore[attr-defined]
        return
    nn.functional.cross_entropy(module(features), labels).backward()  # type: ignore[no-untyped-call]


def _parts(batch: NDArray[np.int64], most: int) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """A batch in parts of at most `most` rows, each with whether it is the last; an empty batch is one part."""
    for first in range(0, max(1, len(batch)), most):
        yield batch[first : first + most], first + most >= len(batch)
