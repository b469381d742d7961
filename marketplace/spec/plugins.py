"""Tasks are plug-ins, found by entry point; a spec names one, and never carries code."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Protocol, runtime_checkable

from marketplace.errors import FairshareError, Reason
from marketplace.spec.sections import TaskSection

GROUP = "fairshare.tasks"


@runtime_checkable
class SizedTask(Protocol):
    """As much of a task as a spec must know: d, the trainable parameters."""

    @property
    def length(self) -> int: ...


def names(group: str = GROUP) -> tuple[str, ...]:
    """Names of the plug-ins of a group that are installed."""
    return tuple(sorted({point.name for point in _installed(group, tuple(sys.path))}))


def find(group: str, name: str) -> EntryPoint | None:
    """The plug-in of that name in a group; None where none is installed."""
    return next((point for point in _installed(group, tuple(sys.path)) if point.name == name), None)


@functools.lru_cache(maxsize=8)
def _installed(group: str, path: tuple[str, ...]) -> EntryPoints:
    """What is installed in `path` (sys.path): to look takes some 15 ms, and a spec asks many times."""
    return entry_points(group=group)


def load(section: TaskSection) -> SizedTask:
    """The task of `section`; raises BAD_SPEC for an unknown kind or options that the task refuses."""
    point = find(GROUP, section.kind)
    if point is None:
        raise FairshareError(
            Reason.BAD_SPEC,
            f"task.kind: no task {section.kind!r} is installed",
            f"use one of {', '.join(names())}, or install the package that brings it",
        )
    task = point.load()(section)
    if not isinstance(task, SizedTask):
        raise incomplete(point, "a task")
    return task


def incomplete(point: EntryPoint, wanted: str) -> FairshareError:
    """The error about a plug-in that gives something else than is `wanted` of it."""
    return FairshareError(
        Reason.TOOL_MISSING,
        f"the plug-in {point.value} does not give {wanted}",
        "remove or update that package",
    )
