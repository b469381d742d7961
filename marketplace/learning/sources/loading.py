"""From a path to a data set for a task: open, check every row, hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marketplace.learning.data import Dataset
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.checking import Survey, checked_batches, require_sound
from marketplace.learning.sources.findings import Findings
from marketplace.learning.sources.holding import hold
from marketplace.learning.sources.opening import open_source
from marketplace.learning.sources.source import Description
from marketplace.learning.tasks import Task


@dataclass(frozen=True)
class Loaded:
    """Data that were read to their end. `dataset`: their sound rows; None where there are none."""

    description: Description
    survey: Survey
    notes: tuple[str, ...]
    dataset: Dataset | None


def load(path: Path, task: Task, how: Reading, folder: Path, keep: int = 5) -> Loaded:
    """Reads all there is at `path`; what is wrong with rows is in the survey, the first `keep` of each kind.

    `folder`: where a large X is unpacked. Raises BAD_DATA where the data cannot be the project's at all, TOO_LARGE,
    TOOL_MISSING without the format's library, BAD_INPUT where `folder` cannot be used.
    """
    wanted = Wanted(task.features, task.classes)
    source = open_source(path, wanted, how)
    survey = Survey(wanted, Findings(keep), how.tolerate)
    dataset = hold(checked_batches(source, survey, how.divide), wanted, folder)
    return Loaded(source.description, survey, (*source.notes(), *survey.warnings()), dataset)


def load_sound(
    path: Path, task: Task, how: Reading, folder: Path, say: Callable[[str], None] | None = None
) -> Dataset:
    """As `load`, for use: raises BAD_DATA, naming the first of each kind, unless every row is sound or tolerated.

    `say` is told of what is seldom meant, a line each.
    """
    loaded = load(path, task, how, folder)
    require_sound(loaded.survey, loaded.description)
    assert loaded.dataset is not None  # sound: it has rows
    if say is not None:
        for note in loaded.notes:
            say(note)
    return loaded.dataset
