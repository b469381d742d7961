"""How much updates of two parts of one's data agree, and what that says of an update of all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.protocol.fixed_point import clip, quantise
from marketplace.spec import ProjectSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How much updates of two parts of one's data agree: their cosine, and the rows each of them was trained on.

    `norm`: of the larger part's integer update.
    """

    cosine: float
    rows: tuple[int, int]
    norm: float

    def reliability(self, rows: int) -> float:
        """The correlation, 0..1, of an update trained on so many such rows with what endless ones would give.

        Taking an update for a signal and noise whose variance falls with the rows, the cosine of two is the product of
        their reliabilities (Spearman's correction for attenuation, 1904), and that of n rows is 1 / sqrt(1 + k / n).
        """
        if self.cosine <= 0:
            return 0.0
        one, other = self.rows
        missing = max(0.0, self.cosine**-2 - 1)
        both = one + other
        k = (math.sqrt(both**2 + 4 * one * other * missing) - both) / 2
        return 1 / math.sqrt(1 + k / rows)


def agreement_of(spec: ProjectSpec, delta: Floats, other: Floats, rows: tuple[int, int]) -> Agreement:
    """Of two deltas, float64[d], as a project's updates; `rows`: that each was trained on."""
    update = quantise(clip(delta, spec.training.clip_norm), spec.arithmetic.scale_bits, spec.divisor)
    whole = update.astype(np.float64)
    return Agreement(cosine(whole, other), rows, float(np.linalg.norm(whole)))


def cosine(a: Floats, b: Floats) -> float:
    """In -1..1; 0 where one of them is zero."""
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.dot(a, b)) / lengths if lengths else 0.0
