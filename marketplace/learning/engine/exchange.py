"""The files through which a trainer's node and its training processes speak: numbers and JSON, nothing pickled.

They are in a private directory of the node's. The data are raw numbers, so that all processes map the same pages.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.options import Engine
from marketplace.learning.pages import Pages
from marketplace.spec.sections import TaskSection, TrainingSection
from marketplace.whole_files import whole_file

Floats = NDArray[np.float64]

X, Y, START, DELTA, REQUEST, PROBLEM = "X", "y", "start.npy", "delta.npy", "request.json", "problem-{}.json"
STORE, RENDEZVOUS = "store", "rendezvous"  # where the processes find each other
LOGS = "logs"
_PIECE = 8 << 20  # bytes of X written at a time
_SPARE = 1 << 30  # bytes of the disk that are left to others


@dataclass(frozen=True)
class Request:
    """What is trained, and how. `rows`, `features`: of X; `mapped`: whether little of it is to be in memory."""

    section: TaskSection
    training: TrainingSection
    seed: int
    device: str
    threads: int | None
    engine: Engine
    rows: int
    features: int
    mapped: bool


def write_request(folder: Path, request: Request, start: Floats, dataset: Dataset) -> None:
    """All that the processes need. Raises TOO_LARGE where the disk has no room for a copy of the data."""
    if shutil.disk_usage(folder).free < dataset.X.nbytes + _SPARE:
        raise _no_room(dataset, "too little is free")
    piece = max(1, _PIECE // dataset.X[:1].nbytes)
    try:
        with (folder / X).open("wb") as file:
            for first in range(0, len(dataset), piece):
                file.write(np.ascontiguousarray(dataset.X[first : first + piece]).data)
                dataset.touch(piece)
        (folder / Y).write_bytes(dataset.y.tobytes())
        np.save(folder / START, start, allow_pickle=False)
        stated = asdict(request) | {
            "section": request.section.model_dump(),
            "training": request.training.model_dump(),
        }
        (folder / REQUEST).write_text(json.dumps(stated))
    except OSError as error:
        raise _no_room(dataset, error.strerror or str(error)) from error


def read_request(folder: Path) -> tuple[Request, Floats, Dataset]:
    """The request, the vector to start from, and the data, mapped."""
    stated: dict[str, Any] = json.loads((folder / REQUEST).read_text())
    request = Request(
        **stated
        | {
            "section": TaskSection.model_validate(stated["section"]),
            "training": TrainingSection.model_validate(stated["training"]),
            "engine": Engine(**stated["engine"]),
        }
    )
    shape = (request.rows, request.features)
    y = np.fromfile(folder / Y, dtype=np.int64)
    start: Floats = np.load(folder / START, allow_pickle=False)
    if request.mapped:
        with (folder / X).open("rb") as file:
            pages = Pages(file.fileno(), *shape)
        return request, start, Dataset(pages.array, y, pages)
    rows: NDArray[np.float32] = np.memmap(folder / X, dtype=np.float32, mode="c", shape=shape)
    return request, start, Dataset(np.asarray(rows), y)


def write_delta(folder: Path, delta: Floats) -> None:
    """The result, there whole or not at all."""
    with whole_file(folder / DELTA) as file:
        np.save(file, delta, allow_pickle=False)


def read_delta(folder: Path, length: int) -> Floats | None:
    """The result, float64[length]; None where there is none. INTERNAL for one of another shape, or that is none."""
    path = folder / DELTA
    if not path.exists():
        return None
    try:
        delta: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise FairshareError(Reason.INTERNAL, f"training gave no vector: {error}") from error
    if delta.shape != (length,) or delta.dtype != np.float64:
        raise FairshareError(
            Reason.INTERNAL, f"training gave {delta.dtype} {delta.shape}, not float64 ({length},)"
        )
    return np.array(delta)


def write_problem(folder: Path, rank: int, error: FairshareError) -> None:
    """What stopped process `rank`."""
    said = {"reason": error.reason, "message": error.message, "hint": error.hint}
    (folder / PROBLEM.format(rank)).write_text(json.dumps(said))


def read_problem(folder: Path) -> FairshareError | None:
    """What stopped a process; that others then lose it is INTERNAL and comes last. None: nothing is known."""
    found = []
    for path in sorted(folder.glob(PROBLEM.format("*"))):
        try:
            said = json.loads(path.read_text())
        except json.JSONDecodeError:
            continue  # killed while it wrote
        found.append(FairshareError(Reason(said["reason"]), said["message"], said["hint"]))
    return min(found, key=lambda error: error.reason is Reason.INTERNAL, default=None)


def _no_room(dataset: Dataset, why: str) -> FairshareError:
    return FairshareError(
        Reason.TOO_LARGE,
        f"several processes need a copy of the data, {dataset.X.nbytes >> 20} MiB, in the temporary folder: {why}",
        "make room, or name a folder on a larger disk with TMPDIR",
    )
