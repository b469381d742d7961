"""Every row is looked at: whatever is wrong is counted, and nothing wrong is let through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.sources.checking import Survey, checked_batches, require_sound
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.source import Batch, Description

WANTED = Wanted(features=3, classes=4)
BAD_NUMBERS = [float("nan"), float("inf"), -1e300]


class Rows:
    """A source of given rows."""

    description = Description("rows", "rows", 1, None, "y", ("a", "b", "c"), "")

    def __init__(self, X: NDArray[np.float64], y: NDArray[np.int64], batch: int) -> None:
        self.X, self.y, self.batch = X, y, batch

    def batches(self, findings: Findings) -> Iterator[Batch]:
        for start in range(0, len(self.y), self.batch):
            part = slice(start, start + self.batch)
            yield Batch(self.X[part], self.y[part], lambda i, start=start: ("rows", start + i + 1))

    def notes(self) -> tuple[str, ...]:
        return ()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    batch=st.integers(1, 17),
    keep=st.integers(0, 6),
    numbers=st.lists(
        st.tuples(st.integers(0, 39), st.integers(0, 2), st.sampled_from(BAD_NUMBERS)), max_size=8
    ),
    labels=st.lists(st.tuples(st.integers(0, 39), st.sampled_from([-1, 4, 2**40])), max_size=8),
)
def test_exactly_what_is_wrong_is_found(
    rows: int, batch: int, keep: int, numbers: list[tuple[int, int, float]], labels: list[tuple[int, int]]
) -> None:
    X, y = np.ones((rows, 3)), np.arange(rows) % 4
    for i, j, value in numbers:
        X[i % rows, j] = value
    for i, label in labels:
        y[i % rows] = label
    cells = {(i % rows, j) for i, j, _ in numbers}
    wrong_labels = {i % rows for i, _ in labels}
    survey = Survey(WANTED, Findings(keep))
    read = list(checked_batches(Rows(X, y, batch), survey))
    sound = [i for i in range(rows) if i not in wrong_labels and i not in {row for row, _ in cells}]
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in read]), y[sound])
    assert all(np.isfinite(part).all() for part, _ in read)
    assert survey.findings.counts[Kind.NOT_FINITE] == len(cells)
    assert survey.findings.counts[Kind.LABEL_RANGE] == len(wrong_labels)
    assert survey.rows == len(sound)
    kept = survey.findings.first.get(Kind.NOT_FINITE, [])
    assert [(f.row, f.column) for f in kept] == [(i + 1, "abc"[j]) for i, j in sorted(cells)][:keep]
    assert survey.is_sound == (not cells and not wrong_labels)


def survey_of(X: NDArray[np.float64], y: NDArray[np.int64], tolerate: int = 0) -> Survey:
    survey = Survey(WANTED, Findings(), tolerate)
    list(checked_batches(Rows(X, y, 100), survey))
    return survey


def test_what_is_wrong_is_one_line_for_a_trainer_that_joins() -> None:
    X, y = np.ones((9, 3)), np.array([1, 2, 3, 4, 5, 1, 2, 3, 1])
    X[6, 1] = np.nan
    with pytest.raises(FairshareError) as caught:
        require_sound(survey_of(X, y), Rows.description)
    assert caught.value.reason is Reason.BAD_DATA
    assert caught.value.message == (
        "rows: labels run from 1 to 5, not within 0..3 (2, first at rows, row 4, column y: 4); "
        "X holds NaN, infinity or numbers beyond float32 (1, first at rows, row 7, column b: nan)"
    )
    assert "trainer check" in caught.value.hint
    with pytest.raises(FairshareError, match="no rows"):
        require_sound(survey_of(X[:0], y[:0]), Rows.description)


def test_so_many_findings_are_tolerated_and_no_more() -> None:
    X, y = np.linspace(0, 1, 27).reshape(9, 3), np.array([0, 1, 2, 3, 9, 0, 1, 2, 3])
    X[6, 1] = np.nan
    survey = survey_of(X, y, tolerate=2)
    require_sound(survey, Rows.description)
    assert (survey.is_sound, survey.rows) == (True, 7)
    assert "2 findings are tolerated" in survey.warnings()[0]
    with pytest.raises(FairshareError, match="labels run from 0 to 9"):
        require_sound(survey_of(X, y, tolerate=1), Rows.description)
    assert not survey_of(X[4:5], y[4:5], tolerate=9).is_sound


def test_what_is_seldom_meant_is_said() -> None:
    y = np.array([0, 1, 2, 3])
    sound = np.linspace(0, 1, 12).reshape(4, 3)
    assert survey_of(sound, y).warnings() == ()
    assert "runs from 0 to 255" in survey_of(sound * 255, y).warnings()[0]
    assert "all numbers of X are the same" in survey_of(np.ones((4, 3)), y).warnings()[0]
    assert "no row has label 2, 3" in survey_of(sound[:2], y[:2]).warnings()[0]


def test_numbers_are_divided_before_they_are_judged() -> None:
    survey = Survey(WANTED, Findings())
    ((X, _),) = checked_batches(Rows(np.full((1, 3), 1e39), np.zeros(1, dtype=np.int64), 1), survey, 1e39)
    assert survey.is_sound
    np.testing.assert_array_equal(X, np.ones((1, 3), dtype=np.float32))
