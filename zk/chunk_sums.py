"""What merging does to chunk points: P'_j = P_j + sum_i (C_ij - C_0) for every chunk j (docs/sketch.md).

All points must be on the curve: those that `marketplace.updates.leaves` read are. About 4 us a point.
"""

from __future__ import annotations

from collections.abc import Sequence

from zk import batch, curve
from zk.curve import Point


def moved_points(before: Sequence[Point], merged: Sequence[Sequence[Point]], zero: Point) -> list[Point]:
    """The new model's points from the old one's and the merged updates'; ValueError where lengths differ."""
    totals = [batch.affine(point) for point in before]
    for points in merged:
        totals = batch.sums(totals, [batch.affine(point) for point in points])
    zeros = batch.negated(batch.affine(curve.multiply(zero, len(merged))))
    totals = batch.sums(totals, [zeros] * len(totals))
    return [batch.point(total) for total in totals]


def sums_hold(
    before: Sequence[Point], after: Sequence[Point], merged: Sequence[Sequence[Point]], zero: Point
) -> int | None:
    """None where every chunk's new point is what merging makes of it, else the first chunk where it is not."""
    due = moved_points(before, merged, zero)
    return next((j for j, (a, b) in enumerate(zip(due, after, strict=True)) if a != b), None)
