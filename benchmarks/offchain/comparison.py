"""Tables of pay beside what it is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from offchain.parties import NOISE
from offchain.worth import BY_MEAN, EQUAL, EXACT

Floats = NDArray[np.float64]

AIMED = "reference"  # the rule that has aims
AIM_COSINE, AIM_SPEARMAN, AIM_NOISE = 0.98, 0.93, 0.01


def show(title: str, found: dict[str, Floats], console: Console) -> None:
    """`found`: by method, shares of the pay [seeds, trainers]; and whether pay by the reference meets its aims."""
    noise = "/".join(f"{share:.0%}"[:-1] for share in NOISE)
    exacts = [name for name in (EXACT, BY_MEAN) if name in found]
    table = Table(
        "pay by",
        *(f"cosine to {name}".replace(" Shapley", "") for name in exacts),
        "Spearman",
        "pure noise, % of pay",
    )
    table.add_column(f"mean shares, noise {noise} %")
    table.title = title
    for name, rows in found.items():
        near = [_cosines(rows, found[exact]) for exact in exacts]
        order = [_spearman(row) for row in rows] if name != EQUAL else [float("nan")]
        shown = " ".join(f"{share:.3f}" for share in rows.mean(axis=0))
        waste = 100 * rows[:, -1]
        table.add_row(name, *map(_spread, near), _spread(order), _spread(waste), shown)
        if name == AIMED:
            aims = (
                ("cosine", np.mean(near[0]) >= AIM_COSINE),
                ("Spearman", np.mean(order) >= AIM_SPEARMAN),
                ("pure noise", np.mean(waste) < 100 * AIM_NOISE),
            )
            table.caption = f"aims of {AIMED}: " + ", ".join(
                f"{aim} {'met' if met else 'missed'}" for aim, met in aims
            )
    console.print(table)


def _cosines(rows: Floats, others: Floats) -> list[float]:
    return [_cosine(row, other) for row, other in zip(rows, others, strict=True)]


def _cosine(one: Floats, other: Floats) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0


def _spearman(shares: Floats) -> float:
    return float(spearmanr(shares, -np.array(NOISE)).statistic)


def _spread(values: list[float] | Floats) -> str:
    return f"{np.mean(values):.3f} ({np.min(values):.3f} to {np.max(values):.3f})"
