"""The training loop, the same in one process and in each of several."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.batches import batches, shares
from marketplace.learning.engine.feeding import Part, fed
from marketplace.learning.engine.options import Engine, Precision
from marketplace.learning.engine.team import ALONE, Team
from marketplace.learning.sgd import Sgd
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    import torch
    from torch import nn

Floats = NDArray[np.float64]

_HALVINGS = 40  # of fp16's factor: from 2^16 to what no gradient of a model that learns needs


def trained_delta(
    task: Task,
    start: Floats,
    dataset: Dataset,
    training: TrainingSection,
    seed: int,
    where: torch.device,
    engine: Engine,
    team: Team = ALONE,
) -> Floats:
    """What a round of SGD with momentum on the mean cross-entropy changes: float64[d], in process 0 of `team`.

    `start`: float64[d] whose entries are float32's. Raises BAD_DATA where gradients overflow fp16 however scaled.
    """
    import torch

    module = task.module(start).train()
    # Not module.compile(): of a Sequential it compiles nothing, and does not say so (torch 2.13).
    called = cast("nn.Module", torch.compile(module)) if engine.compile else module
    model = team.joined(called, where)
    trained = [p for p in model.parameters() if p.requires_grad]
    scaler = torch.amp.GradScaler(where.type, enabled=engine.precision == "fp16")
    steps = torch.optim.SGD if scaler.is_enabled() else Sgd  # the scaler looks into torch's own
    optimiser = steps(trained, lr=training.learning_rate, momentum=training.momentum)
    cut = (
        shares(batch, engine.accumulate, team.rank, team.size)
        for batch in batches(len(dataset), training, seed)
    )
    with closing(fed(cut, dataset, where, engine.workers)) as feed:
        for parts in feed:
            _step(model, optimiser, scaler, parts, where, engine.precision, team)
    return team.vector(task, start, module) - start


def _step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer | Sgd,
    scaler: torch.amp.GradScaler,
    parts: list[Part],
    where: torch.device,
    precision: Precision,
    team: Team,
) -> None:
    """One step. In fp16 a batch whose gradients overflow is done again with a smaller factor: none is left out."""
    from torch import nn

    for _ in range(_HALVINGS):
        optimiser.zero_grad()
        for number, part in enumerate(parts, 1):
            with team.exchanging(model, number == len(parts)):
                with _cast(where, precision):
                    loss = nn.functional.cross_entropy(model(part.inputs), part.targets) * part.weight
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        factor = scaler.get_scale()
        scaler.step(optimiser)  # type: ignore[arg-type]  # one that is not enabled asks it for no more than a step
        scaler.update()
        if scaler.get_scale() >= factor:
            return
    raise FairshareError(
        Reason.BAD_DATA,
        "training diverged: gradients overflow fp16 however they are scaled",
        "check the scale of X in your data, or use --precision bf16 or fp32",
    )


def _cast(where: torch.device, precision: Precision) -> AbstractContextManager[object]:
    import torch

    if precision == "fp32":
        return nullcontext()
    return torch.autocast(where.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
