"""Files that a task needs beside the spec, such as the weights of a frozen backbone: named by hash, of stated size.

An owner's project.toml names one by its path, `<name>_file`. The posted spec has `<name>_cid`, the CIDv0 of its bytes,
and `<name>_bytes` in its place. A file holds numbers and never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from marketplace.errors import FairshareError
from marketplace.learning.tasks.options import integer, text
from marketplace.learning.tasks.task import Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection
from marketplace.storage.cid import cid_of, digest_of

MAX_FILE_BYTES = 512 << 20


@dataclass(frozen=True)
class TaskFile:
    """A file that a task needs. `path`: where project.toml says it is; `cid` and `size`: what a posted spec says."""

    name: str
    path: str | None
    cid: str | None
    size: int | None

    @property
    def options(self) -> tuple[str, str, str]:
        """Names of the options that name it."""
        return option_names(self.name)


@runtime_checkable
class NeedsFiles(Protocol):
    """A task that needs files; without their bytes it knows its length and its initial vector, and makes no module."""

    @property
    def files(self) -> tuple[TaskFile, ...]: ...

    def with_files(self, contents: Mapping[str, bytes]) -> Task:
        """The same task with its files' bytes, by name. Raises BAD_SPEC where they are not what it needs."""
        ...


def option_names(name: str) -> tuple[str, str, str]:
    """The options that name the file `name`: `<name>_file`, or `<name>_cid` and `<name>_bytes`."""
    return f"{name}_file", f"{name}_cid", f"{name}_bytes"


def file_of(section: TaskSection, name: str) -> TaskFile | None:
    """The file `name` of a [task] section; None where it names none. Raises BAD_SPEC."""
    path_option, cid_option, size_option = option_names(name)
    path, cid = text(section, path_option), text(section, cid_option)
    if path is None and cid is None:
        if size_option in section.options:
            raise bad_field(f"task.{size_option}", f"it goes with {cid_option}")
        return None
    if path is not None and cid is not None:
        raise bad_field(f"task.{cid_option}", f"posting takes it from {path_option}; leave it out")
    if cid is None:
        if size_option in section.options:
            raise bad_field(f"task.{size_option}", f"posting takes it from {path_option}; leave it out")
        return TaskFile(name, path, None, None)
    if not _is_cid(cid):
        raise bad_field(f"task.{cid_option}", "it is a CIDv0: 46 characters, the first Qm")
    return TaskFile(name, None, cid, integer(section, size_option, None, 1, MAX_FILE_BYTES))


def posted(section: TaskSection, name: str, content: bytes) -> TaskSection:
    """`section` as it is posted: with the hash and size of `content` in place of the path of the file `name`."""
    path_option, cid_option, size_option = option_names(name)
    document = section.model_dump()
    del document[path_option]
    return TaskSection.model_validate(
        document | {cid_option: cid_of(content), size_option: len(content)}, strict=True
    )


def _is_cid(text: str) -> bool:
    try:
        digest_of(text)
    except FairshareError:
        return False
    return True
