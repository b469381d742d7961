"""A folder of images with a folder below for each class."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources import pictures
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.labels import number_of
from marketplace.learning.sources.source import Batch, Description, bad

MAX_FILES = 1_000_000
BATCH_IMAGES = 256

_LITTER = frozenset({"thumbs.db", "desktop.ini"})  # that file managers leave


class ImageFolder:
    """Images by class. Raises BAD_DATA where the folders are not the project's classes.

    With `--classes` the folders' names are looked up there; else names that are all numbers are the labels, and other
    names are numbered in alphabetical order, if there are as many as the project has classes.
    """

    def __init__(self, path: Path, wanted: Wanted, how: Reading, max_files: int = MAX_FILES) -> None:
        self._path, self._wanted, self._max_files = path, wanted, max_files
        self._frame = pictures.frame_of(wanted, how, path)
        self._classes = _classes(path, wanted, how)
        self._resized = 0
        by_label = {label: name for name, label in self._classes.items()}
        self.description = Description(
            format="image folder",
            path=str(path),
            files=None,
            rows=None,
            label="folder",
            features=("pixels",),
            stored_as=f"a folder for each of {len(self._classes)} classes, as {self._frame.words}",
            names=tuple(by_label.get(label, "") for label in range(max(by_label) + 1)),
        )

    def batches(self, findings: Findings) -> Iterator[Batch]:
        """See `Source`. Raises TOO_LARGE for more files than `max_files`."""
        seen = 0
        for name, label in self._classes.items():
            files = self._files(self._path / name, findings, self._max_files - seen)
            seen += len(files)
            for start in range(0, len(files), BATCH_IMAGES):
                yield self._batch(self._path / name, files[start : start + BATCH_IMAGES], label, findings)

    def notes(self) -> tuple[str, ...]:
        """See `Source`."""
        if not self._resized:
            return ()
        return (f"{self._resized:,} images were resized to {self._frame.width} x {self._frame.height}",)

    def _files(self, folder: Path, findings: Findings, room: int) -> list[str]:
        """Names of a class's images, sorted."""
        names: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _is_litter(entry.name):
                        continue
                    if len(names) == room:
                        raise FairshareError(
                            Reason.TOO_LARGE,
                            f"{self._path}: there are over {self._max_files:,} files",
                            "pack them into parquet files with a column of images",
                        )
                    problem = _problem(entry)
                    if problem is None:
                        names.append(entry.name)
                    else:
                        findings.add(problem[0], os.path.join(folder, entry.name), None, None, problem[1])
        except OSError as error:
            raise bad(folder, error.strerror or str(error), "check the folder") from error
        return sorted(names)

    def _batch(self, folder: Path, names: list[str], label: int, findings: Findings) -> Batch:
        rows, kept = [], []
        for name in names:
            path = os.path.join(folder, name)
            try:
                pixels, resized = pictures.decode(_content(path), self._frame)
            except pictures.PictureError as error:
                findings.add(error.kind, path, None, None, error.says)
                continue
            self._resized += resized
            rows.append(pixels)
            kept.append(path)
        X = np.stack(rows) if rows else np.zeros((0, self._wanted.features), dtype=np.float32)
        return Batch(X, np.full(len(rows), label, dtype=np.int64), lambda i: (kept[i], None))


def has_class_folders(path: Path) -> bool:
    """Whether there is a folder in `path`."""
    with os.scandir(path) as entries:
        return any(entry.is_dir() and not _is_litter(entry.name) for entry in entries)


def _classes(path: Path, wanted: Wanted, how: Reading) -> dict[str, int]:
    """Folders of the classes, by name, and their labels, in the labels' order."""
    try:
        with os.scandir(path) as entries:
            folders = {e.name: e.is_symlink() for e in entries if e.is_dir() and not _is_litter(e.name)}
    except OSError as error:
        raise bad(path, error.strerror or str(error), "check the folder") from error
    names = sorted(folders)
    if not names:
        raise bad(path, "there is no data in this folder", "docs/data.md says which folders are data")
    for name in names:
        if folders[name]:
            raise bad(path / name, "it is a symbolic link", "put the folder itself there")
    numbers = [number_of(name, how) for name in names]
    known = [number for number in numbers if number is not None]
    if len(known) < len(names):
        if how.classes or len(names) != wanted.classes:
            other = names[numbers.index(None)]
            raise bad(
                path / other,
                f"it is none of the project's {wanted.classes} classes",
                "name all classes with --classes, in the project's order",
            )
        known = list(range(len(names)))
    if len(set(known)) < len(known) or not 0 <= min(known) <= max(known) < wanted.classes:
        raise bad(
            path,
            f"its folders do not number classes from 0 to {wanted.classes - 1}, each once",
            "name all classes with --classes, in the project's order",
        )
    return dict(sorted(zip(names, known, strict=True), key=lambda pair: pair[1]))


def _problem(entry: os.DirEntry[str]) -> tuple[Kind, str] | None:
    """Why what stands in a class's folder is no image, as far as can be told without opening it."""
    if entry.is_symlink():
        return Kind.LINK, f"it leads to {os.readlink(entry.path)!r}"
    if not entry.is_file(follow_symlinks=False):
        return Kind.STRAY, "it is no file"
    if not entry.name.lower().endswith(pictures.SUFFIXES):
        return Kind.STRAY, f"its name ends in none of {', '.join(pictures.SUFFIXES)}"
    return None


def _content(path: str) -> bytes:
    """A file's bytes; never through a link, even one put there since. Raises PictureError."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise pictures.PictureError(Kind.STRAY, "it is no file")
            return file.read(pictures.MAX_BYTES + 1)
    except OSError as error:
        raise pictures.PictureError(Kind.IMAGE, error.strerror or str(error)) from error


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER
