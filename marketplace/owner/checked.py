"""An owner's project.toml and data sets, checked before chain or disk are touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset, load_npz
from marketplace.learning.tasks import Task
from marketplace.owner.task_files import with_task_files
from marketplace.protocol.fixed_point import padded, to_model
from marketplace.spec import ProjectFile
from marketplace.spec.problems import bad_field
from marketplace.spec.project_file import MAX_FILE_BYTES
from marketplace.spec.sections import SketchSection
from marketplace.storage.cid import cid_of, digest_of
from zk.shape import CircuitShape


@dataclass(frozen=True)
class ValidationSet:
    """The owner's validation set. `digest`: of its CIDv0, 32 bytes; nobody else knows it before the end."""

    path: Path
    digest: bytes
    dataset: Dataset


@dataclass(frozen=True)
class CheckedProject:
    """A project that could be posted. `initial`: W_0 as it is packed, int32 [file.vector_length]."""

    file: ProjectFile  # its task names files by hash
    task: Task
    task_files: tuple[bytes, ...]
    shape: CircuitShape
    sketch: SketchSection | None  # how vectors are cut, on the sketch path
    initial: NDArray[np.int32]
    evaluation: Path | None  # None: its hash alone is known here
    evaluation_sha256: str
    validation: ValidationSet | None  # with the reference rule


def check_project(path: Path) -> CheckedProject:
    """Reads and checks project.toml at `path` and all it names.

    Raises NOT_FOUND, BAD_INPUT (unreadable), BAD_SPEC naming the field, BAD_DATA, TOO_LARGE.
    """
    file, task, task_files = with_task_files(ProjectFile.from_toml(_read(path)), path.parent)
    evaluation, digest = _evaluation(file, path.parent, task)
    return CheckedProject(
        file=file,
        task=task,
        task_files=task_files,
        shape=file.shape,
        sketch=file.sketch,
        initial=_initial(file, task),
        evaluation=evaluation,
        evaluation_sha256=digest,
        validation=None
        if file.validation is None
        else load_validation(path.parent / file.validation.file, task),
    )


def load_evaluation(path: Path, sha256: str, task: Task) -> Dataset:
    """The evaluation set in an .npz. Raises BAD_DATA, INTEGRITY where it is not the one of that hash."""
    dataset = load_npz(path, task)
    if _sha256(path) != sha256:
        raise FairshareError(
            Reason.INTEGRITY,
            f"{path} is not the evaluation set that the spec names",
            "give the file that the project was posted with",
        )
    return dataset


def load_validation(path: Path, task: Task) -> ValidationSet:
    """The validation set in an .npz. Raises BAD_DATA."""
    dataset = load_npz(path, task)  # first: it says what is wrong with the file
    return ValidationSet(path, digest_of(cid_of(path.read_bytes())), dataset)


def _evaluation(file: ProjectFile, folder: Path, task: Task) -> tuple[Path | None, str]:
    if file.evaluation.file is None:
        assert file.evaluation.sha256 is not None  # the project file has one or the other
        return None, file.evaluation.sha256
    path = folder / file.evaluation.file
    load_npz(path, task)
    digest = _sha256(path)
    if file.evaluation.sha256 not in (None, digest):
        raise bad_field("evaluation.sha256", f"{path} has another hash, {digest}")
    return path, digest


def _initial(file: ProjectFile, task: Task) -> NDArray[np.int32]:
    try:
        weights = to_model(task.initial(file.training.seed), file.arithmetic.scale_bits)
    except ValueError as error:
        raise bad_field("arithmetic.scale_bits", str(error)) from error
    return padded(weights, file.vector_length)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise FairshareError(
            Reason.NOT_FOUND, f"there is no file {path}", "`fairshare project new DIR` writes one"
        ) from error
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{path} cannot be read: {error.strerror}", "check the path"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
