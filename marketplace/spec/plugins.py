"""Tasks are plug-ins, found by entry point; a spec names one, and never carries code."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from marketplace.errors import FairshareError, Reason
from marketplace.spec.sections import TaskSection

GROUP = "fairshare.tasks"


@runtime_checkable
class SizedTask(Protocol):
    """As much of a task as a spec must know: d, the trainable parameters."""

    @property
    def length(self) -> int: ...


def kinds() -> tuple[str, ...]:
    """Names of the tasks installed."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def load(section: TaskSection) -> SizedTask:
    """The task of `section`; raises BAD_SPEC for an unknown kind or options that the task refuses."""
    for point in entry_points(group=GROUP):
        if point.name == section.kind:
            task = point.load()(section)
            if not isinstance(task, SizedTask):
                raise FairshareError(
                    Reason.TOOL_MISSING,
                    f"the plug-in {point.value} does not give a task",
                    "remove or update that package",
                )
            return task
    raise FairshareError(
        Reason.BAD_SPEC,
        f"task.kind: no task {section.kind!r} is installed",
        f"use one of {', '.join(kinds())}, or install the package that brings it",
    )
