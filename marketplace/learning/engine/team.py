"""How the processes that train one model together keep it the same: copies (DDP), or shards (FSDP2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from marketplace.learning.tasks import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

Floats = NDArray[np.float64]


class Team(Protocol):
    """Processes that take a share of each batch; `rank` of `size` is this one."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def joined(self, module: nn.Module, where: torch.device) -> nn.Module:
        """What is called, and whose parameters are trained, on `where`, in place of `module`, which is on the CPU."""
        ...

    def exchanging(self, model: nn.Module, is_last: bool) -> AbstractContextManager[None]:
        """For a backward pass of `joined`'s model: gradients are averaged over the team in a batch's last one."""
        ...

    def vector(self, task: Task, start: Floats, module: nn.Module) -> Floats:
        """The trained vector float64[d] of the module that was given to `joined`; in process 0."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process."""

    rank: int = 0
    size: int = 1

    def joined(self, module: nn.Module, where: torch.device) -> nn.Module:
        """The module itself."""
        return module.to(where)

    def exchanging(self, model: nn.Module, is_last: bool) -> AbstractContextManager[None]:
        """Nobody to exchange with."""
        return nullcontext()

    def vector(self, task: Task, start: Floats, module: nn.Module) -> Floats:
        """As the task reads it."""
        return task.vector(module)


ALONE = Alone()


@dataclass(frozen=True)
class Copies:
    """Each process has the whole model: DistributedDataParallel."""

    rank: int
    size: int

    def joined(self, module: nn.Module, where: torch.device) -> nn.Module:
        """The module in DDP's wrapper."""
        from torch.nn.parallel import DistributedDataParallel

        module.to(where)
        return DistributedDataParallel(module, device_ids=[where] if where.type == "cuda" else None)

    def exchanging(self, model: nn.Module, is_last: bool) -> AbstractContextManager[None]:
        """See `Team`."""
        from torch.nn.parallel import DistributedDataParallel

        assert isinstance(model, DistributedDataParallel)
        return nullcontext() if is_last else model.no_sync()

    def vector(self, task: Task, start: Floats, module: nn.Module) -> Floats:
        """As the task reads it; all have the same."""
        return task.vector(module)


@dataclass(frozen=True)
class Shards:
    """Each process has a part of every parameter, of its gradient and its momentum: FSDP2's fully_shard."""

    rank: int
    size: int

    def joined(self, module: nn.Module, where: torch.device) -> nn.Module:
        """The module, its layers moved to the device and cut one by one, and gathered so when they are needed."""
        import torch
        from torch.distributed.device_mesh import DeviceMesh
        from torch.distributed.fsdp import fully_shard

        mesh = DeviceMesh(where.type, torch.arange(self.size))
        for layer in _layers(module):
            fully_shard(layer, mesh=mesh)
        fully_shard(module, mesh=mesh)
        return module

    @contextmanager
    def _exchanging(self, model: nn.Module, is_last: bool) -> Iterator[None]:
        from torch.distributed.fsdp import FSDPModule

        assert isinstance(model, FSDPModule)
        model.set_requires_gradient_sync(is_last)
        yield

    def exchanging(self, model: nn.Module, is_last: bool) -> AbstractContextManager[None]:
        """See `Team`; until the last pass each process keeps whole gradients."""
        return self._exchanging(model, is_last)

    def vector(self, task: Task, start: Floats, module: nn.Module) -> Floats:
        """Gathered, and read from a module that is whole."""
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        state = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        whole = task.module(start)
        if self.rank == 0:  # which alone is given it
            whole.load_state_dict(state)
        return task.vector(whole)


def _layers(module: nn.Module) -> list[nn.Module]:
    """What is gathered at a time: the module's children, of lists each; none where they share parameters."""
    from torch import nn

    layers: list[nn.Module] = []
    for child in module.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            layers += child.children()
        elif any(True for _ in child.parameters()):
            layers.append(child)
    each = [id(p) for layer in layers for p in layer.parameters()]
    return layers if len(each) == len(set(each)) else []
