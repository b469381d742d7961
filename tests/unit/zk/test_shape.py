"""Shapes and layouts: limits, and the layouts that existing circuits are pinned to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from zk.shape import CircuitShape, Layout, Range, layout_of, shape_of


@pytest.mark.parametrize(
    ("slots", "length", "reason"),
    [
        (2, 10, Reason.BAD_INPUT),
        (3, 0, Reason.BAD_INPUT),
        (3, -1, Reason.BAD_INPUT),
        (17, 10, Reason.TOO_LARGE),
        (10, 10_001, Reason.TOO_LARGE),
        (16, 6251, Reason.TOO_LARGE),
    ],
)
def test_shapes_without_a_circuit_are_refused(slots: int, length: int, reason: Reason) -> None:
    with pytest.raises(FairshareError) as refused:
        CircuitShape(slots, length)
    assert refused.value.reason is reason


def test_the_limit_is_named() -> None:
    with pytest.raises(FairshareError, match=r"100000.*at most 10000 parameters"):
        CircuitShape(10, 20_000)


@pytest.mark.parametrize(
    ("slots", "length", "layout"),
    [
        (3, 4, Layout(7, 1)),
        (8, 650, Layout(14, 2)),
        (10, 650, Layout(14, 3)),
        (10, 970, Layout(14, 4)),
        (14, 650, Layout(14, 5)),
        (16, 650, Layout(15, 4)),
        (10, 10_000, Layout(17, 5)),
    ],
)
def test_layouts_stay_what_they_are(slots: int, length: int, layout: Layout) -> None:
    """A change here makes other circuits: raise zk.shape.CIRCUIT_VERSION with it."""
    assert layout_of(CircuitShape(slots, length)) == layout


@pytest.mark.parametrize("range", ["disputed", "proven"])
@pytest.mark.parametrize(("slots", "length"), [(3, 4), (8, 650), (8, 12_500), (11, 650), (16, 5000)])
def test_a_circuit_on_chain_tells_its_range_by_its_rows(slots: int, length: int, range: Range) -> None:
    shape = CircuitShape(slots, length, range)
    assert shape_of(slots, length, layout_of(shape).logrows) == shape


@given(st.integers(3, 16), st.integers(1, 33_333))
def test_every_column_holds_what_it_must(slots: int, length: int) -> None:
    if slots * length > 100_000:
        return
    shape = CircuitShape(slots, length)
    layout = layout_of(shape)
    assert length <= layout.usable_rows  # an update fits its one committed column
    dots = shape.triangle * -(-length // layout.columns)
    assert dots + -(-shape.triangle // layout.columns) <= layout.usable_rows
    assert layout.logrows <= 18
