"""Every row held against the project before anything is done with it, and what the rows are like as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.sources.findings import FIX, MEANING, Findings, Kind
from marketplace.learning.sources.source import Batch, Description, Source

SCALE_LIMIT = 20.0  # beyond it X is hardly scaled: pixels up to 255, ages, prices
_DEVIATION = 1e-12


@dataclass
class Survey:
    """What was seen of a source's rows so far. `counts`: sound rows of each class, int64 [classes].

    `tolerate`: findings that do not make the data unfit.
    """

    wanted: Wanted
    findings: Findings
    tolerate: int = 0
    counts: NDArray[np.int64] = field(init=False)
    lowest: float = np.inf
    highest: float = -np.inf
    lowest_label: int | None = None
    highest_label: int | None = None

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.wanted.classes, dtype=np.int64)

    @property
    def rows(self) -> int:
        """Sound rows."""
        return int(self.counts.sum())

    @property
    def is_sound(self) -> bool:
        """Whether a trainer can work with it."""
        return self.rows > 0 and self.findings.total <= self.tolerate

    def warnings(self) -> tuple[str, ...]:
        """What is not wrong, but seldom meant."""
        if not self.rows:
            return ()
        said = []
        if self.findings and self.is_sound:
            said.append(f"{self.findings.total:,} findings are tolerated: their rows are left out")
        empty = np.flatnonzero(self.counts == 0)
        if len(empty):
            shown = ", ".join(map(str, empty[:10].tolist())) + (", .." if len(empty) > 10 else "")
            said.append(f"no row has label {shown}: other trainers must know these classes")
        if max(abs(self.lowest), abs(self.highest)) > SCALE_LIMIT:
            said.append(
                f"X runs from {self.lowest:g} to {self.highest:g}: training works best near 0..1 (--divide), and "
                "all trainers must scale alike"
            )
        if self.highest - self.lowest < _DEVIATION:
            said.append("all numbers of X are the same: nothing can be learned from them")
        return tuple(said)


def checked_batches(
    source: Source, survey: Survey, divide: float = 1.0
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """A source's sound rows, X float32 [n, features] divided by `divide`, y int64 [n]; `survey` sees them all."""
    for batch in source.batches(survey.findings):
        yield _checked(batch, survey, source.description, divide)


def require_sound(survey: Survey, description: Description) -> None:
    """BAD_DATA, in one line for all kinds of findings, unless a trainer can work with it."""
    findings, path = survey.findings, description.path
    if findings.total > survey.tolerate:
        said = "; ".join(_said(kind, survey) for kind in findings.counts)
        first = next(iter(findings.counts))
        raise FairshareError(
            Reason.BAD_DATA, f"{path}: {said}", f"{FIX[first]}; `fairshare trainer check` lists more"
        )
    if not survey.rows:
        raise FairshareError(Reason.BAD_DATA, f"{path}: there are no rows", "give some data")


def _said(kind: Kind, survey: Survey) -> str:
    count = survey.findings.counts[kind]
    what = MEANING[kind]
    if kind is Kind.LABEL_RANGE:
        what = (
            f"labels run from {survey.lowest_label} to {survey.highest_label}, "
            f"not within 0..{survey.wanted.classes - 1}"
        )
    kept = survey.findings.first.get(kind)
    where = f", first at {kept[0].where}: {kept[0].says}" if kept else ""
    return f"{what} ({count:,}{where})"


def _checked(
    batch: Batch, survey: Survey, description: Description, divide: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    in_range = _look_at_labels(batch, survey, description)
    with np.errstate(over="ignore", invalid="ignore"):
        X = np.asarray(batch.X if divide == 1.0 else batch.X / divide).astype(
            np.float32, order="C", copy=False
        )
    finite = np.isfinite(X)
    whole = finite.all(axis=1)
    if not whole.all():
        _note_numbers(batch, finite, survey.findings, description)
    kept = in_range & whole
    if not kept.all():
        X = X[kept]
    y = batch.y[kept].astype(np.int64)
    if len(y):
        survey.counts += np.bincount(y, minlength=survey.wanted.classes)
        survey.lowest = min(survey.lowest, float(X.min()))
        survey.highest = max(survey.highest, float(X.max()))
    return X, y


def _look_at_labels(batch: Batch, survey: Survey, description: Description) -> NDArray[np.bool_]:
    """Which labels are the project's; before they are made int64, which not all integers are."""
    if not len(batch.y):
        return np.ones(0, dtype=bool)
    lowest, highest = int(batch.y.min()), int(batch.y.max())
    survey.lowest_label = min(lowest, lowest if survey.lowest_label is None else survey.lowest_label)
    survey.highest_label = max(highest, highest if survey.highest_label is None else survey.highest_label)
    in_range = (batch.y >= 0) & (batch.y < survey.wanted.classes)
    wrong = np.flatnonzero(~in_range)
    shown = wrong[: survey.findings.room(Kind.LABEL_RANGE)]
    for i in shown.tolist():
        _add(batch, i, Kind.LABEL_RANGE, description.label, str(batch.y[i]), survey.findings)
    survey.findings.count(Kind.LABEL_RANGE, len(wrong) - len(shown))
    return np.asarray(in_range)


def _note_numbers(
    batch: Batch, finite: NDArray[np.bool_], findings: Findings, description: Description
) -> None:
    rows, columns = np.nonzero(~finite)
    shown = min(len(rows), findings.room(Kind.NOT_FINITE))
    for i, j in zip(rows[:shown].tolist(), columns[:shown].tolist(), strict=True):
        _add(batch, i, Kind.NOT_FINITE, description.column(j), str(batch.X[i, j]), findings)
    findings.count(Kind.NOT_FINITE, len(rows) - shown)


def _add(batch: Batch, i: int, kind: Kind, column: str, says: str, findings: Findings) -> None:
    file, row = batch.place(i)
    findings.add(kind, file, row, column, says)
