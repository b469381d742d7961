"""The task `frozen-backbone`: trained layers whose numbers come from a file, under an output layer that is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import weights
from marketplace.learning.tasks.cnn import Cnn, cnn
from marketplace.learning.tasks.files import TaskFile, file_of, option_names
from marketplace.learning.tasks.layers import linear, vector_of, with_vector
from marketplace.learning.tasks.mlp import Mlp, mlp
from marketplace.learning.tasks.options import choice, refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn

BACKBONE = "backbone"  # the file


@dataclass(frozen=True)
class FrozenBackbone:
    """The body of another task's network, which nobody trains, and a linear layer on what it says of a row."""

    network: Mlp | Cnn  # of the same features and classes
    file: TaskFile
    arrays: weights.Arrays | None = field(default=None, repr=False, compare=False)
    name = "frozen-backbone"

    @property
    def features(self) -> int:
        """Columns of X."""
        return self.network.features

    @property
    def classes(self) -> int:
        """Labels run from 0 to one less."""
        return self.network.classes

    @property
    def length(self) -> int:
        """hidden * classes + classes."""
        return (self.network.hidden + 1) * self.classes

    @property
    def files(self) -> tuple[TaskFile, ...]:
        """See `NeedsFiles`."""
        return (self.file,)

    def with_files(self, contents: Mapping[str, bytes]) -> Task:
        """See `NeedsFiles`."""
        read = weights.read(contents[BACKBONE], self.network.body_shapes, f"task.{BACKBONE}")
        return replace(self, arrays=read)

    def initial(self, seed: int) -> Floats:
        """Zeros: with the backbone frozen the loss is convex, so `seed` does not matter."""
        return np.zeros(self.length)

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]. Raises INTERNAL without the backbone's bytes."""
        import torch
        from torch import nn

        if self.arrays is None:
            raise FairshareError(Reason.INTERNAL, "the backbone was not loaded before a model was made")
        body = nn.Sequential(*self.network.body())
        with torch.no_grad():
            for parameter, array in zip(body.parameters(), self.arrays.values(), strict=True):
                parameter.copy_(torch.from_numpy(array.copy()))
        body.requires_grad_(False)
        return with_vector(nn.Sequential(*body, linear(self.network.hidden, self.classes)), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def frozen_backbone(section: TaskSection) -> Task:
    """A trained output layer on layers that stay as they are. Options:

    `backbone_file`: in project.toml, a safetensors file with the numbers of those layers; posting puts its hash and
    size in its place, `backbone_cid` and `backbone_bytes`. `network`: "cnn" or "mlp", whose layers they are, with that
    task's options (`channels`, `hidden`, `pool`).
    """
    of_network = {"cnn": ("channels", "hidden"), "mlp": ("hidden", "pool")}
    kind = choice(section, "network", None, tuple(of_network))
    refuse_unknown(section, ("network", *option_names(BACKBONE), *of_network[kind]))
    options = {name: value for name, value in section.options.items() if name in of_network[kind]}
    of_kind = {"kind": kind, "features": section.features, "classes": section.classes}
    network = {"cnn": cnn, "mlp": mlp}[kind](TaskSection.model_validate(of_kind | options))
    assert isinstance(network, Mlp | Cnn)
    file = file_of(section, BACKBONE)
    if file is None:
        raise bad_field(f"task.{BACKBONE}_file", "name the file with the backbone's weights")
    return FrozenBackbone(network, file)


def backbone_of(network: Mlp | Cnn, vector: Floats) -> weights.Arrays:
    """The arrays of a backbone's file, out of a trained vector float64[d] of the task whose network it is."""
    arrays, at = {}, 0
    for name, shape in network.body_shapes.items():
        count = math.prod(shape)
        arrays[name] = vector[at : at + count].reshape(shape).astype(np.float32)
        at += count
    return arrays
