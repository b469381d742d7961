"""Tasks: what a flat vector of trainable parameters means as a model.

A task is a plug-in of the entry-point group `fairshare.tasks`: a callable from the spec's [task] section to a
`Task`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning import networks
from marketplace.spec import ProjectSpec, plugins
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]


@runtime_checkable
class Task(Protocol):
    """A classifier whose trainable parameters are one flat vector.

    Everything but that vector follows from the spec, bit for bit the same on every machine.
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


def load(section: TaskSection) -> Task:
    """The task that a spec's [task] section names; raises BAD_SPEC where none fits."""
    task = plugins.load(section)
    if not isinstance(task, Task):
        raise FairshareError(
            Reason.TOOL_MISSING, f"the plug-in for {section.kind!r} is incomplete", "update that package"
        )
    return task


def task_of(spec: ProjectSpec) -> Task:
    """The task of a posted spec, checked to fit its circuit, which may be longer (`zk.catalogue`)."""
    task = load(spec.task)
    if task.length > spec.length:
        raise bad_field("task", f"it has {task.length} trainable parameters, the circuit takes {spec.length}")
    if spec.sketch is not None and spec.sketch.chunks != (
        wanted := -(-task.length // spec.sketch.chunk_length)
    ):
        raise bad_field("sketch.chunks", f"{task.length} trainable parameters fill {wanted} of them")
    return task


def softmax(section: TaskSection) -> Task:
    """Multinomial logistic regression; d = features * classes + classes. No options."""
    _refuse_unknown(section, ())
    return networks.Softmax(section.features, section.classes)


def mlp(section: TaskSection) -> Task:
    """A network with one hidden layer of ReLUs. Options:

    `hidden`: its width; `pool` (1): X is a square image and is averaged over windows of this side first;
    `trained` ("all"): "head" keeps the hidden layer as drawn from `draw` (0) and trains the output layer.
    """
    _refuse_unknown(section, ("hidden", "pool", "trained", "draw"))
    hidden = _integer(section, "hidden", None, 1, 65_536)
    pool = _integer(section, "pool", 1, 1, 64)
    draw = _integer(section, "draw", 0, 0, 2**32 - 1)
    trained = section.options.get("trained", "all")
    if trained not in ("all", "head"):
        raise bad_field("task.trained", 'it is "all" or "head"')
    side = int(section.features**0.5 + 0.5)
    if pool > 1 and (side * side != section.features or side % pool):
        raise bad_field(
            "task.pool", f"{section.features} features are no square image that divides by {pool}"
        )
    return networks.Mlp(section.features, section.classes, hidden, pool, trained == "head", draw)


def cnn(section: TaskSection) -> Task:
    """A convolutional network for square grey images of at least 4 x 4. Options:

    `channels` (32): of the first convolution, the second has twice as many; `hidden` (320): width of the hidden layer.
    """
    _refuse_unknown(section, ("channels", "hidden"))
    channels = _integer(section, "channels", 32, 1, 1024)
    hidden = _integer(section, "hidden", 320, 1, 65_536)
    side = math.isqrt(section.features)
    if side * side != section.features or side < 4:
        raise bad_field("task.features", f"{section.features} are no square image of at least 4 x 4")
    return networks.Cnn(section.features, section.classes, channels, hidden)


def _refuse_unknown(section: TaskSection, known: tuple[str, ...]) -> None:
    for name in section.options:
        if name not in known:
            raise bad_field(f"task.{name}", f"the task {section.kind} has no such option")


def _integer(section: TaskSection, name: str, default: int | None, low: int, high: int) -> int:
    value = section.options.get(name, default)
    if value is None:
        raise bad_field(f"task.{name}", "this field is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad_field(f"task.{name}", f"it is an integer from {low} to {high}")
    return value
