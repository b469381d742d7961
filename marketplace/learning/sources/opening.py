"""Which format a path is in, by what it is, not by its name; formats load their libraries when they are used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.source import Source, bad

_MAX_SHARDS = 10_000
_FOREIGN = {
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x80\x04": "a pickle, which is never read",
    b"\x80\x05": "a pickle, which is never read",
    b"\x93NUMPY": "a single array",
    b"\x89HDF": "HDF5",
    b"\x89PNG": "a single image",
    b"\xff\xd8\xff": "a single image",
}


def open_source(path: Path, wanted: Wanted, how: Reading) -> Source:
    """The data at `path`, opened, its schema checked. Raises BAD_DATA, TOO_LARGE, TOOL_MISSING (no pyarrow)."""
    try:
        if path.is_dir():
            with _libraries():
                return _folder(path, wanted, how)
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise bad(path, "it is neither a file nor a folder", "name your data with --data")
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError as error:
        raise bad(path, "there is no such file or folder", "name your data with --data") from error
    except OSError as error:
        raise bad(path, error.strerror or str(error), "check the path") from error
    return _file(path, head, wanted, how)


def _file(path: Path, head: bytes, wanted: Wanted, how: Reading) -> Source:
    from marketplace.learning.sources import npz

    if not head:
        raise bad(path, "it is empty", "give some data")
    if head.startswith(npz.MAGIC):
        return npz.NpzSource(path, wanted)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise bad(path, f"it is {what}", "docs/data.md lists the formats that are read")
    with _libraries():
        from marketplace.learning.sources import arrow_file, csv_table, parquet

        if head.startswith(parquet.MAGIC):
            return parquet.parquet(path, [path], wanted, how)
        if head.startswith((arrow_file.MAGIC, arrow_file.STREAM_MAGIC)):
            return arrow_file.arrow(path, [path], wanted, how)
        return csv_table.CsvSource(path, wanted, how)


def _folder(path: Path, wanted: Wanted, how: Reading) -> Source:
    from marketplace.learning.sources import arrow_file, image_folder, parquet, saved_dataset

    if saved_dataset.is_saved(path):
        return saved_dataset.saved_dataset(path, wanted, how)
    files = _shards(path)
    if files and not image_folder.has_class_folders(path):
        heads = {_head(file) for file in files}
        if heads == {parquet.MAGIC}:
            return parquet.parquet(path, files, wanted, how)
        if heads <= {arrow_file.MAGIC[:4], arrow_file.STREAM_MAGIC}:
            return arrow_file.arrow(path, files, wanted, how)
        raise bad(
            path,
            "its files are neither all parquet nor all arrow",
            "give a folder with a folder of images for each class, or one with tables of one kind",
        )
    return image_folder.ImageFolder(path, wanted, how)


def _shards(path: Path) -> list[Path]:
    """The files right in a folder, by name. Raises BAD_DATA for links, TOO_LARGE for too many."""
    found: list[Path] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith((".", "_")) or not entry.is_file():  # what writers leave: _SUCCESS, .crc
                continue
            if entry.is_symlink():
                raise bad(entry.path, "it is a symbolic link", "put the file itself there")
            found.append(Path(entry.path))
            if len(found) > _MAX_SHARDS:
                raise FairshareError(
                    Reason.TOO_LARGE,
                    f"{path}: there are over {_MAX_SHARDS:,} files",
                    "write fewer, larger ones",
                )
    return sorted(found)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


@contextmanager
def _libraries() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise FairshareError(
            Reason.TOOL_MISSING,
            f"this format needs {error.name or 'a library'}, which is not installed",
            "run `pip install fairshare[data]`, or give an .npz",
        ) from error
