"""The files that an owner's task needs, beside project.toml: read, tried, and named by hash for the spec."""

from __future__ import annotations

from pathlib import Path

from marketplace.learning import tasks
from marketplace.learning.tasks import Task
from marketplace.learning.tasks.files import MAX_FILE_BYTES, NeedsFiles, TaskFile, posted
from marketplace.spec import ProjectFile
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection


def with_task_files(file: ProjectFile, folder: Path) -> tuple[ProjectFile, Task, tuple[bytes, ...]]:
    """The project file as it is to be posted, its task ready for use, and its files' bytes.

    `folder`: that paths in the file start from. Raises BAD_SPEC for a file that cannot be read or used.
    """
    task = tasks.load(file.task)
    if not isinstance(task, NeedsFiles):
        return file, task, ()
    contents = {needed.name: _read(needed, folder) for needed in task.files}
    section = file.task
    for name, content in contents.items():
        section = posted(section, name, content)
    named = tasks.load(section)
    assert isinstance(named, NeedsFiles)  # it is the same task
    return file.model_copy(update={"task": section}), named.with_files(contents), tuple(contents.values())


def task_files_of(section: TaskSection) -> list[tuple[str, int]]:
    """CID and size in bytes of each file that the task of a posted spec needs."""
    task = tasks.load(section)
    needed = task.files if isinstance(task, NeedsFiles) else ()
    return [(file.cid, file.size) for file in needed if file.cid is not None and file.size is not None]


def _read(needed: TaskFile, folder: Path) -> bytes:
    option = f"task.{needed.options[0]}"
    if needed.path is None:
        raise bad_field(option, "name the file here: posting makes its hash, and puts it on IPFS")
    try:
        with (folder / needed.path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise bad_field(option, f"{folder / needed.path}: {error.strerror}", "check the path") from error
    if not 0 < len(content) <= MAX_FILE_BYTES:
        raise bad_field(option, f"it has 1 to {MAX_FILE_BYTES} bytes")
    return content
