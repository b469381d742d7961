"""Whether a round moved the model no further than its merged updates can, where G cannot say: several cohorts.

Of one cohort the judgement says it (docs/proof.md, "Far pairs"). Pairs of different cohorts are in no G.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from marketplace.audit.report import failed, unchecked
from marketplace.audit.rounds import CohortReplay
from marketplace.audit.settlement import Settlement


def check_step(before: NDArray[np.int32], after: NDArray[np.int32], results: Sequence[CohortReplay]) -> str:
    """The step from one model to another is at most as long as those of the round's results together."""
    square = sum((new - old) ** 2 for old, new in zip(before.tolist(), after.tolist(), strict=True))
    longest = hold_length(square, results)
    return f"the model moved by {isqrt(square)}, at most the {longest} of {len(results)} cohorts together"


def hold_length(square: int, results: Sequence[CohortReplay]) -> int:
    """How long what the results merged can be together, rounded up; AUDIT_FAILED where `square` is longer squared."""
    longest = 0
    for cohort in results:
        if cohort.settlement is None:
            raise unchecked(cohort.unread or "a result's Gram matrix could not be read")
        longest += _longest(cohort.settlement)
    if square > longest**2:
        raise failed(
            f"the model moved by {isqrt(square)}, but its cohorts' merged updates together by at most {longest}: "
            "some of them are no int16"
        )
    return longest


def _longest(settled: Settlement) -> int:
    """Of what a cohort merged: the square of its length is the sum of its entries of G. Rounded up."""
    merged, gram = settled.judgement.merged, settled.gram
    return isqrt(max(0, sum(gram[i, j] for i, j in product(merged, repeat=2)))) + 1
