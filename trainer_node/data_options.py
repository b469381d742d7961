"""The options that say where a trainer's data is and how it is to be read."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import ImageMode, Reading
from marketplace.node.options import extended

DATA_HELP = "Your data: .npz, parquet, CSV, arrow, a saved dataset, or a folder of images (docs/data.md)."

_MODES = ("grey", "rgb")
_LARGEST_SIDE = 10_000


@dataclass(frozen=True)
class DataGiven:
    """Where the data is, and how it is to be read."""

    path: Path
    how: Reading


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Reading the data", **more)


_OPTIONS: Mapping[str, tuple[Any, Any]] = {  # by name: annotation, default
    "label_column": (
        Annotated[str | None, _option("--label-column", "Of a table.", metavar="NAME")],
        None,
    ),
    "columns": (
        Annotated[
            str | None,
            _option("--columns", "Of a table, the features in the project's order.", metavar="NAME,.."),
        ],
        None,
    ),
    "classes": (
        Annotated[
            str | None,
            _option("--classes", "Names of the classes in the project's order.", metavar="NAME,.."),
        ],
        None,
    ),
    "part": (
        Annotated[str | None, _option("--part", "Of a saved dataset with several: train.", metavar="NAME")],
        None,
    ),
    "delimiter": (
        Annotated[
            str | None, _option("--delimiter", "Between the cells of a table in text.", metavar="CHAR")
        ],
        None,
    ),
    "header": (
        Annotated[
            bool,
            _option(
                "--header/--no-header", "Whether its first line names columns; else they are f0, f1, ..."
            ),
        ],
        True,
    ),
    "image_size": (
        Annotated[
            str | None, _option("--image-size", "To which images are brought.", metavar="WIDTHxHEIGHT")
        ],
        None,
    ),
    "image_mode": (
        Annotated[str | None, _option("--image-mode", "grey or rgb.", metavar="MODE")],
        None,
    ),
    "divide": (
        Annotated[float, _option("--divide", "Every number of X by this; images are in 0..1 already.")],
        1.0,
    ),
    "tolerate": (
        Annotated[
            int,
            _option("--tolerate", "Findings at most, whose rows are left out.", metavar="N", min=0),
        ],
        0,
    ),
}


def with_data(function: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes `--data` and how to read it, given to `function` as its `data`."""
    path = Annotated[Path, typer.Option("--data", metavar="PATH", help=DATA_HELP)]

    def call(values: dict[str, Any], arguments: dict[str, Any]) -> None:
        given = DataGiven(values.pop("data"), reading_of(values))
        function(**arguments, data=given)

    options = {"data": (path, inspect.Parameter.empty), **_OPTIONS}
    return extended(function, options, call, skip=("data",))


def reading_of(values: Mapping[str, Any]) -> Reading:
    """The options' values as a Reading. Raises BAD_INPUT."""
    divide, mode = values["divide"], values["image_mode"]
    if not (math.isfinite(divide) and divide > 0):
        raise _wrong("--divide", f"{divide} is no number above 0")
    if mode not in (None, *_MODES):
        raise _wrong("--image-mode", f"{mode!r} is none of {', '.join(_MODES)}")
    delimiter = values["delimiter"]
    if delimiter is not None:
        delimiter = "\t" if delimiter == r"\t" else delimiter
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise _wrong("--delimiter", f"{delimiter!r} is not one character that could stand between cells")
    return Reading(
        label=values["label_column"],
        columns=_names("--columns", values["columns"]),
        classes=_names("--classes", values["classes"]),
        part=values["part"],
        delimiter=delimiter,
        header=values["header"],
        image_size=_size(values["image_size"]),
        image_mode=cast(ImageMode | None, mode),
        divide=divide,
        tolerate=values["tolerate"],
    )


def _names(flag: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise _wrong(flag, "a name is empty or there twice")
    return names


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    sides = tuple(map(int, match.groups())) if match else ()
    if len(sides) != 2 or not all(1 <= side <= _LARGEST_SIDE for side in sides):
        raise _wrong("--image-size", f"{text!r} is not like 28x28")
    return sides


def _wrong(flag: str, what: str) -> FairshareError:
    return FairshareError(Reason.BAD_INPUT, f"{flag}: {what}", "docs/data.md explains it")
