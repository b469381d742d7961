"""What `save_to_disk` of Hugging Face's `datasets` leaves: Arrow streams, and what they are in two JSON files.

Read with pyarrow alone: `datasets` itself unpickles things, and is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from marketplace.learning.sources.arrow_file import shard
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.labels import NAMES
from marketplace.learning.sources.source import bad
from marketplace.learning.sources.tables import MAX_SHARDS, TableSource

STATE, INFO, PARTS = "state.json", "dataset_info.json", "dataset_dict.json"
DEFAULT_PART = "train"

_MAX_JSON = 8 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
_HINT = "write it anew with datasets.Dataset.save_to_disk"


def is_saved(folder: Path) -> bool:
    """Whether `folder` looks like one."""
    return any((folder / name).is_file() for name in (STATE, PARTS))


def saved_dataset(folder: Path, wanted: Wanted, how: Reading) -> TableSource:
    """The data set in `folder`, or the part of a dictionary that the user names. Raises BAD_DATA, TOO_LARGE."""
    if (folder / PARTS).is_file():
        folder = _part(folder, how.part)
    elif how.part is not None:
        raise bad(folder, "it has no parts", "leave --part out")
    files = [folder / name for name in _data_files(folder)]
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise bad(file, "it is missing, or not a file itself", _HINT)
    info = _json(folder / INFO)
    shards = [shard(file) for file in files]
    return TableSource("saved dataset", folder, shards, wanted, how, _names(info, how))


def _part(folder: Path, name: str | None) -> Path:
    listed = _json(folder / PARTS).get("splits")
    parts = [part for part in listed if isinstance(part, str)] if isinstance(listed, list) else []
    chosen = name or (DEFAULT_PART if DEFAULT_PART in parts else parts[0] if len(parts) == 1 else None)
    if chosen not in parts or not _NAME.fullmatch(chosen):
        what = "its parts are" if name is None else f"it has no part {name!r}; its parts are"
        raise bad(folder, f"{what} {', '.join(parts[:20]) or 'not listed'}", "choose one with --part")
    below = folder / chosen
    if below.is_symlink() or not below.is_dir():
        raise bad(below, "it is missing, or not a folder itself", _HINT)
    return below


def _data_files(folder: Path) -> list[str]:
    state = _json(folder / STATE)
    if state.get("_indices_data_files"):
        raise bad(
            folder, "its rows are chosen by a list of indices", "call flatten_indices() before saving it"
        )
    listed = state.get("_data_files")
    names = [entry.get("filename") if isinstance(entry, dict) else None for entry in listed or []]
    if not 0 < len(names) <= MAX_SHARDS or not all(
        isinstance(name, str) and _NAME.fullmatch(name) for name in names
    ):
        raise bad(folder / STATE, "it does not list the data's files, by name alone", _HINT)
    return [str(name) for name in names]


def _names(info: dict[str, Any], how: Reading) -> Sequence[str]:
    """Names of the classes, where the label column is of `datasets`' ClassLabel."""
    features = info.get("features")
    if not isinstance(features, dict):
        return ()
    column = how.label or next((name for name in NAMES if name in features), None)
    kind = features.get(column) if column is not None else None
    names = kind.get("names") if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_JSON + 1)
        if len(text) > _MAX_JSON:
            raise ValueError("it is too large")
        document = from_json(text)  # whose depth is bounded, whatever Python's recursion limit is
        if not isinstance(document, dict):
            raise ValueError("it is no object")
    except FileNotFoundError as error:
        raise bad(path, "there is no such file", _HINT) from error
    except OSError as error:
        raise bad(path, error.strerror or str(error), "check the file") from error
    except ValueError as error:
        raise bad(path, f"it is no sound JSON: {error}", _HINT) from error
    return document
