"""What training runs on: the CPU, CUDA, or Metal (mps)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marketplace.errors import FairshareError, Reason

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: str) -> None:
    """Raises BAD_INPUT for a device that is not here, so that nobody joins who cannot train."""
    if name not in ("auto", "cpu"):  # always there: no reason to wait for torch
        pick_device(name)


def pick_device(name: str) -> torch.device:
    """The torch device for `name`; "auto" takes cuda, then mps, then the CPU."""
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name, False):
        raise FairshareError(
            Reason.BAD_INPUT, f"there is no device {name!r} here", f"use one of {', '.join(DEVICES)}"
        )
    return torch.device(name)


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """torch's thread count is the process's: set it for a while."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
