"""The first layer of a `tabular` network. It imports torch, so it is imported where a network is made."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Columns(nn.Module):
    """float32 [n, columns] to [n, inputs]: the normalised numbers, then the categories' vectors, column by column."""

    def __init__(
        self, categories: Sequence[int], mean: Sequence[float], scale: Sequence[float], embedding: int
    ) -> None:
        super().__init__()
        counts = [count for count in categories if count]
        self.values = sum(counts)
        self.numeric = _constant([i for i, count in enumerate(categories) if not count])
        self.categorical = _constant([i for i, count in enumerate(categories) if count])
        self.counts = _constant(counts)
        self.firsts = _constant([sum(counts[:i]) for i in range(len(counts))])
        self.mean = _constant(mean, torch.float32)
        self.scale = _constant(scale, torch.float32)
        self.vectors: nn.Embedding | None = None
        if embedding:
            self.vectors = nn.Embedding(self.values, embedding, _weight=torch.empty(self.values, embedding))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """See the class."""
        numbers = (rows[:, self.numeric] - self.mean) / self.scale
        codes = rows[:, self.categorical].round()
        known = (codes >= 0) & (codes < self.counts)
        index = torch.where(known, codes, 0).long() + self.firsts
        if self.vectors is not None:
            found = self.vectors(index) * known.unsqueeze(2)
            return torch.cat([numbers, found.flatten(1)], dim=1)
        marks = numbers.new_zeros((len(rows), self.values)).scatter(1, index, known.to(numbers.dtype))
        return torch.cat([numbers, marks], dim=1)


def _constant(values: Sequence[float], dtype: torch.dtype = torch.int64) -> nn.Parameter:
    """What is not trained, as a parameter and no buffer: differential privacy takes no buffers."""
    return nn.Parameter(torch.tensor(list(values), dtype=dtype), requires_grad=False)
