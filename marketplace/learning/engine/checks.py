"""Which engines go with a recipe and with this machine; asked before a trainer joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketplace.errors import FairshareError, Reason
from marketplace.learning.devices import pick_device
from marketplace.learning.engine.options import Engine
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    import torch
    from torch import nn


def check_combination(engine: Engine, training: TrainingSection, *, private: bool) -> None:
    """Raises BAD_INPUT for an option that changes results where the spec or DP-SGD fixes them."""
    changing = [
        flag
        for flag, is_set in (
            ("--precision", engine.precision != "fp32"),
            ("--accumulate", engine.accumulate > 1),
            ("--compile", engine.compile),
            ("--processes", engine.processes > 1),
        )
        if is_set
    ]
    if private and engine.workers:
        changing.append("--workers")
    if private and changing:
        raise _refused(
            f"training with differential privacy goes without {', '.join(changing)}: each row's gradient is clipped in "
            "fp32, by one process, which cuts batches by the memory there is",
            "leave that out",
        )
    if training.deterministic and changing:
        raise _refused(
            f"the project asks for deterministic training, and {', '.join(changing)} would change the result",
            "leave that out",
        )


def check_machine(engine: Engine, device: str) -> None:
    """Raises BAD_INPUT where `device` cannot do what `engine` says, TOOL_MISSING where torch.compile fails."""
    where = pick_device(device)
    _check_precision(engine, where)
    _check_processes(engine, where)
    if engine.compile:
        _check_compiler(where)


def is_sharded(engine: Engine, module: nn.Module) -> bool:
    """Whether processes share `module`. BAD_INPUT where the engine has options that do not go with that."""
    if engine.processes == 1 or sum(p.numel() for p in module.parameters()) < engine.shard_from:
        return False
    if engine.precision == "fp16" or engine.compile:
        raise _refused(
            f"a model of {engine.shard_from:,} parameters or more is shared by the processes, which goes with neither "
            "fp16 nor --compile",
            "use --precision bf16, or a larger --shard-from where the memory holds a copy for each process",
        )
    return True


def _check_precision(engine: Engine, where: torch.device) -> None:
    import torch

    if engine.precision != "bf16":
        return
    fits = True
    if where.type == "cuda":
        fits = torch.cuda.is_bf16_supported(including_emulation=False)
    elif where.type == "mps":
        fits = torch.backends.mps.is_macos_or_newer(14, 0)
    if not fits:
        raise _refused(f"{where.type} of this machine has no bf16", "use --precision fp32 or fp16")


def _check_processes(engine: Engine, where: torch.device) -> None:
    import torch

    if engine.processes == 1:
        return
    if where.type not in ("cpu", "cuda") or not torch.distributed.is_available():
        raise _refused(f"this torch trains on {where.type} in one process", "leave --processes out")
    if where.type == "cuda" and engine.processes > (there := torch.cuda.device_count()):
        raise _refused(
            f"each process has a GPU, and there are {there}, not {engine.processes}",
            f"use --processes {there}",
        )


def _check_compiler(where: torch.device) -> None:
    """Compiles something small: whether a C++ compiler or Triton is there and fit, torch finds out by no other way."""
    import torch

    try:
        torch.compile(_small)(torch.ones(8, device=where))
    except RuntimeError as error:  # torch._dynamo's and inductor's errors are all of this kind
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FairshareError(
            Reason.TOOL_MISSING,
            f"torch.compile fails here: {said}",
            "install a C++ compiler (on CUDA triton too), or leave --compile out",
        ) from error


def _small(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + x


def _refused(message: str, hint: str) -> FairshareError:
    return FairshareError(Reason.BAD_INPUT, message, hint)
