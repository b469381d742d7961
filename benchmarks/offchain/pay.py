"""The rules that a project may pay by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.protocol import shares
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Rules, ScoreRule, judge
from offchain.training import Update

POT = 10**18
WHOLE, TEMPLATE = 10_000, 8_000  # basis points by the reference
PAY: dict[str, tuple[ScoreRule, int]] = {
    "reference": (ScoreRule.REFERENCE, WHOLE),
    "reference, 80 %": (ScoreRule.REFERENCE, TEMPLATE),
    "projection": (ScoreRule.PROJECTION, 0),
    "cosine": (ScoreRule.COSINE, 0),
}


def paid(rules: Rules, rows: list[Update], share: int) -> NDArray[np.float64]:
    """Each trainer's part of a round's pot, as the contract works it out; the last row is the owner's."""
    count = len(rows) - 1
    matrix = gram(rows if rules.reference else rows[:count])
    verdict = judge(rules, matrix, range(count), range(1, count + 1), reference_present=rules.reference)
    return np.array(shares.amounts(verdict, POT, share), dtype=np.float64) / POT
