"""The methods that pay is compared with: what a round's updates are worth to the owner's validation set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.learning import evaluate
from marketplace.learning.data import Dataset
from offchain import shapley
from offchain.training import Model, Training, Update

Floats = NDArray[np.float64]

EXACT, BY_MEAN = "exact Shapley, by sum", "exact Shapley, by mean"
GTG, LOO, EQUAL = "GTG-Shapley, by sum", "leave-one-out, by sum", "equal"


@dataclass(frozen=True)
class Worth:
    """By method, each trainer's share of a round; `evaluations`: subsets that GTG-Shapley needed."""

    shares: dict[str, Floats]
    evaluations: int


def worth(
    training: Training,
    validation: Dataset,
    model: Model,
    updates: list[Update],
    random: np.random.Generator,
    *,
    by_mean: bool,
) -> Worth:
    """Of one round that started from `model`. `by_mean`: also by the mean of a subset's updates."""
    table = _utilities(training, validation, model, updates, mean=False)
    values, evaluations = shapley.gtg(table, random)
    shares = {EXACT: _shared(shapley.exact(table))}
    if by_mean:
        means = _utilities(training, validation, model, updates, mean=True)
        shares[BY_MEAN] = _shared(shapley.exact(means))
    shares |= {GTG: _shared(values), LOO: _shared(shapley.leave_one_out(table))}
    shares[EQUAL] = np.full(len(updates), 1 / len(updates))
    return Worth(shares, evaluations)


def _utilities(
    training: Training, validation: Dataset, model: Model, updates: list[Update], *, mean: bool
) -> Floats:
    """By mask of a subset: log-likelihood, in nats a row, of the model with its updates' sum, or mean."""
    matrix, divisor = np.array(updates, dtype=np.int64), training.project.divisor
    values = []
    for subset in range(1 << len(updates)):
        chosen = [slot for slot in range(len(updates)) if subset >> slot & 1]
        step = matrix[chosen].sum(axis=0)
        if mean and chosen:
            step = np.rint(step * divisor / len(chosen)).astype(np.int64)
        values.append(-evaluate.loss(training.task, training.weights(model + step), validation))
    return np.array(values)


def _shared(values: Floats) -> Floats:
    """Shares of 1; negative values earn nothing."""
    kept = np.maximum(values, 0)
    return kept / kept.sum() if kept.sum() > 0 else kept
