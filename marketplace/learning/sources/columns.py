"""Which columns of a table are features and label, decided from its schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pyarrow as pa

from marketplace.learning.sources import kinds, pictures
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.labels import NAMES
from marketplace.learning.sources.source import bad, one_line

_SHOWN = 5  # names in a message


class Layout(Enum):
    """How a row's features are stored."""

    SCALARS = "a column for each feature"
    LIST = "one column of lists"
    IMAGE = "one column of images"


@dataclass(frozen=True)
class Plan:
    """What is read of a table. `names`: of the classes that the file itself numbers."""

    label: str
    features: tuple[str, ...]
    layout: Layout
    frame: pictures.Frame | None
    single: bool  # whether X is float32 as it is stored
    names: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All of them."""
        return [*self.features, self.label]


def plan(schema: pa.Schema, wanted: Wanted, reading: Reading, path: Path, names: Sequence[str] = ()) -> Plan:
    """Chooses the columns; raises BAD_DATA where they cannot be what the project takes."""
    label, features = choose(schema.names, reading, path)
    kind = kinds.plain(schema.field(label).type)
    if not (kinds.is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise bad(
            path,
            f"the label column {label!r} is {kind}, not integers or text",
            "convert it, or name another with --label-column",
        )
    layout = _layout(schema, features, path)
    frame = pictures.frame_of(wanted, reading, path) if layout is Layout.IMAGE else None
    if layout is Layout.SCALARS:
        check_width(features, wanted, path)
    if layout is Layout.LIST:
        _check_fixed(schema, features[0], wanted, path)
    single = all(kinds.leaf(kinds.plain(schema.field(name).type)) == pa.float32() for name in features)
    return Plan(label, features, layout, frame, single, tuple(names))


def choose(names: Sequence[str], reading: Reading, path: Path) -> tuple[str, tuple[str, ...]]:
    """(label, features) among a table's columns. Raises BAD_DATA."""
    there = Counter(names)
    twice = next((name for name in names if there[name] > 1), None)
    if twice is not None:
        raise bad(path, f"the column {twice!r} is there twice", "give each column a name of its own")
    given = [reading.label] if reading.label is not None else [name for name in NAMES if name in names]
    known = [name for name in given if name in names]
    if len(known) != 1:
        what = (
            f"there is no label column among {_list(names)}" if not known else f"{_list(known)} may be labels"
        )
        raise bad(path, what, "name it with --label-column")
    missing = [name for name in reading.columns if name not in there]
    if missing:
        raise bad(path, f"there is no column {missing[0]!r}", f"columns are {_list(names)}")
    features = reading.columns or tuple(name for name in names if name != known[0])
    if not features or known[0] in features:
        raise bad(path, "no column is left for the features", "name them with --columns")
    return known[0], features


def check_width(features: Sequence[str], wanted: Wanted, path: Path) -> None:
    """BAD_DATA unless there is a column for each feature."""
    if len(features) != wanted.features:
        raise bad(
            path,
            f"it has {len(features)} feature columns ({_list(features)}), not the project's {wanted.features}",
            "choose them with --columns; the project's [task] says what they are",
        )


def _layout(schema: pa.Schema, features: Sequence[str], path: Path) -> Layout:
    stored = [kinds.plain(schema.field(name).type) for name in features]
    if len(stored) == 1 and kinds.is_list(stored[0]) and kinds.is_number(kinds.leaf(stored[0])):
        return Layout.LIST
    if len(stored) == 1 and kinds.is_image(stored[0]):
        return Layout.IMAGE
    for name, kind in zip(features, stored, strict=True):
        if not kinds.is_number(kind):
            nested = pa.types.is_nested(kind)
            raise bad(
                path,
                f"the column {name!r} is {one_line(str(kind), 60)}, not numbers",
                "take it apart into columns of numbers, or leave it out with --columns"
                if nested
                else "leave it out by naming the others with --columns",
            )
    return Layout.SCALARS


def _check_fixed(schema: pa.Schema, name: str, wanted: Wanted, path: Path) -> None:
    """BAD_DATA where the type itself says that a row has another number of features."""
    kind, length = kinds.plain(schema.field(name).type), 1
    while pa.types.is_fixed_size_list(kind):
        length *= kind.list_size
        kind = kinds.plain(kind.value_type)
    if not kinds.is_list(kind) and length != wanted.features:
        raise bad(
            path,
            f"the lists of {name!r} have {length} numbers, not the project's {wanted.features}",
            "the project's [task] says what they are",
        )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(one_line(name, 40)) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "none"
