"""The files that a project's task needs: fetched by their hash once, and kept in the cache directory."""

from __future__ import annotations

from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import Task
from marketplace.learning.tasks.files import NeedsFiles, TaskFile
from marketplace.spec.problems import bad_field
from marketplace.storage.cid import cid_of
from marketplace.storage.store import ContentStore
from marketplace.whole_files import write_whole

FOLDER = "task-files"  # in the cache directory, shared between roles


def with_files(task: Task, store: ContentStore, cache: Path, timeout_s: float) -> Task:
    """`task` with the files that its spec names, each from the cache directory or out of the store.

    Raises BAD_SPEC where a file is not what the task needs or not named by hash, UNAVAILABLE where nobody serves it in
    `timeout_s`, TOO_LARGE, INTEGRITY and STORAGE_UNREACHABLE as `ContentStore.fetch`.
    """
    if not isinstance(task, NeedsFiles) or not task.files:
        return task
    return task.with_files(
        {file.name: _content(file, store, cache / FOLDER, timeout_s) for file in task.files}
    )


def _content(file: TaskFile, store: ContentStore, folder: Path, timeout_s: float) -> bytes:
    if file.cid is None or file.size is None:
        raise bad_field(f"task.{file.options[0]}", "a posted spec names a file by its hash, not by a path")
    kept = folder / file.cid
    content = _kept(kept, file.cid, file.size)
    if content is None:
        content = store.fetch(file.cid, max_bytes=file.size, timeout_s=timeout_s)
        _keep(kept, content)
    if len(content) != file.size:
        raise bad_field(f"task.{file.options[2]}", f"the file has {len(content)} bytes, not {file.size}")
    return content


def _kept(path: Path, cid: str, size: int) -> bytes | None:
    """What an earlier call kept; None where there is nothing, or something else."""
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)
    except FileNotFoundError:
        return None
    return content if len(content) == size and cid_of(content) == cid else None


def _keep(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise FairshareError(
            Reason.REFUSED, f"{path} cannot be written: {error.strerror}", "make room on that disk"
        ) from error
