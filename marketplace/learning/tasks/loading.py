"""The task that a spec names."""

from __future__ import annotations

from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks.task import Task
from marketplace.loading import loading
from marketplace.spec import ProjectSpec, plugins
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection


def load(section: TaskSection) -> Task:
    """The task that a spec's [task] section names; raises BAD_SPEC where none fits."""
    task = plugins.load(section)
    if not isinstance(task, Task):
        raise FairshareError(
            Reason.TOOL_MISSING, f"the plug-in for {section.kind!r} is incomplete", "update that package"
        )
    return task


def task_of(spec: ProjectSpec) -> Task:
    """The task of a posted spec, checked to fit its circuit, which may be longer (`zk.catalogue`)."""
    task = load(spec.task)
    if task.length > spec.length:
        raise bad_field("task", f"it has {task.length} trainable parameters, the circuit takes {spec.length}")
    if spec.sketch is not None and spec.sketch.chunks != (
        wanted := -(-task.length // spec.sketch.chunk_length)
    ):
        raise bad_field("sketch.chunks", f"{task.length} trainable parameters fill {wanted} of them")
    return task


def check_usable(task: Task) -> None:
    """Make a model once, so that nobody joins who cannot train. Raises what the task raises: TOOL_MISSING, BAD_SPEC."""
    with loading():  # torch
        task.module(task.initial(0))
