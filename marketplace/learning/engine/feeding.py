"""Rows on their way to the device, by the training thread or ahead of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketplace.learning.data import Dataset
from marketplace.learning.engine.batches import Share

if TYPE_CHECKING:
    import torch

AHEAD = 2  # batches that each worker keeps ready


@dataclass(frozen=True)
class Part:
    """A share on the device. `inputs`: float32 [n, features]; `targets`: int64 [n]."""

    inputs: torch.Tensor
    targets: torch.Tensor
    weight: float


def tensors_on(where: torch.device, dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """X float32 [n, features] and y int64 [n] on a device; where X is mapped from a file, as they are, for batches."""
    import torch

    features, labels = torch.from_numpy(dataset.X), torch.from_numpy(dataset.y)
    return (features.to(where), labels.to(where)) if dataset.pages is None else (features, labels)


def fed(
    batches: Iterable[list[Share]], dataset: Dataset, where: torch.device, workers: int
) -> Generator[list[Part], None, None]:
    """Each batch's parts on the device, in order. With `workers` X stays where it is; each is AHEAD ahead."""
    return _fed_ahead(batches, dataset, where, workers) if workers else _fed(batches, dataset, where)


def _fed(
    batches: Iterable[list[Share]], dataset: Dataset, where: torch.device
) -> Generator[list[Part], None, None]:
    import torch

    features, labels = tensors_on(where, dataset)
    for batch in batches:
        parts = []
        for share in batch:
            index = torch.from_numpy(share.rows).to(features.device)
            parts.append(Part(features[index].to(where), labels[index].to(where), share.weight))
            dataset.touch(len(share.rows))
        yield parts


def _fed_ahead(
    batches: Iterable[list[Share]], dataset: Dataset, where: torch.device, workers: int
) -> Generator[list[Part], None, None]:
    import torch

    features, labels = torch.from_numpy(dataset.X), torch.from_numpy(dataset.y)
    pins = where.type == "cuda"  # only from pinned memory the copy runs beside the GPU's work

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.pin_memory().to(where, non_blocking=True) if pins else tensor.to(where)

    def read(batch: list[Share]) -> list[Part]:
        parts = []
        for share in batch:
            index = torch.from_numpy(share.rows)
            parts.append(Part(moved(features[index]), moved(labels[index]), share.weight))
        return parts

    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    waiting: deque[Future[list[Part]]] = deque()

    def first() -> list[Part]:
        parts = waiting.popleft().result()
        dataset.touch(sum(len(part.targets) for part in parts))
        return parts

    try:
        for batch in batches:
            waiting.append(pool.submit(read, batch))
            if len(waiting) > AHEAD * workers:
                yield first()
        while waiting:
            yield first()
    finally:
        pool.shutdown(cancel_futures=True)
