"""Training that gives the same bytes again on the same machine: the spec's training.deterministic."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marketplace.errors import FairshareError, Reason
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    import torch

_lock = threading.Lock()
_before: list[
    tuple[bool, bool, bool]
] = []  # the process's settings when the first of those that train set them
_training = 0


def threads_of(training: TrainingSection, threads: int | None) -> int | None:
    """torch's threads: one where results must not depend on their number."""
    return 1 if training.deterministic else threads


@contextmanager
def determined(training: TrainingSection, where: torch.device, seed: int) -> Iterator[None]:
    """A block whose random numbers follow from `seed` and whose operations are deterministic; nothing unless asked for.

    Raises BAD_INPUT where the model has an operation that is not, on this device.
    """
    if not training.deterministic:
        yield
        return
    import torch

    if where.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS first works
    _begin()
    try:
        with torch.random.fork_rng([where] if where.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the project asks for deterministic training, which {where.type} cannot: {str(error).splitlines()[0]}",
            "train with --device cpu; if that fails too, the project's task cannot be trained so",
        ) from error
    finally:
        _end()


def _begin() -> None:
    """Settings are the process's: those that train at a time share them."""
    import torch

    global _training
    with _lock:
        if not _training:
            _before.append(
                (
                    torch.are_deterministic_algorithms_enabled(),
                    torch.is_deterministic_algorithms_warn_only_enabled(),
                    torch.backends.cudnn.benchmark,
                )
            )
            torch.use_deterministic_algorithms(True)
            torch.backends.cudnn.benchmark = False
        _training += 1


def _end() -> None:
    import torch

    global _training
    with _lock:
        _training -= 1
        if not _training:
            enabled, warn_only, benchmark = _before.pop()
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
            torch.backends.cudnn.benchmark = benchmark
