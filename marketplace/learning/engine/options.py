"""What a trainer chooses: the spec says what is trained, this only how fast, and how exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
MAX_ACCUMULATE, MAX_WORKERS, MAX_PROCESSES = 4096, 64, 64
SHARD_FROM = 250_000_000  # parameters: with gradients and momentum 3 GB in each process


@dataclass(frozen=True)
class Engine:
    """The defaults are plain SGD in this process, whose result every CPU gives.

    `precision`: of forward and backward passes; weights stay fp32. `accumulate`: micro-batches that a batch is cut
    into. `compile`: with torch.compile. `workers`: threads that read batches ahead and move them to the device; 0: the
    training thread does. `processes`: that share each batch, on CUDA one for each GPU. `shard_from`: parameters, also
    frozen ones, from which on they share the model too (FSDP2) where else each has a copy (DDP).
    """

    precision: Precision = "fp32"
    accumulate: int = 1
    compile: bool = False
    workers: int = 0
    processes: int = 1
    shard_from: int = SHARD_FROM


PLAIN = Engine()
