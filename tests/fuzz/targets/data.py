"""A trainer's data in every format, and what a format's parts hold."""

from __future__ import annotations

import functools
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from marketplace.learning import idx
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.checking import Survey, checked_batches
from marketplace.learning.sources.findings import Findings
from marketplace.learning.sources.npz import read_npz
from marketplace.learning.sources.opening import open_source
from marketplace.learning.sources.pictures import FORMATS, Frame, PictureError, decode
from tests.fuzz.forge import as_file, parts, patched, scratch
from tests.fuzz.target import Target

_WANTED = Wanted(features=4, classes=3)
_PIXEL_BYTES = 4


def _read(path: Path) -> int:
    """All rows, as a trainer's node reads them."""
    survey = Survey(_WANTED, Findings(5))
    source = open_source(path, _WANTED, Reading())
    return sum(len(X) for X, _ in checked_batches(source, survey))


def _any_file(data: bytes) -> object:
    return _read(as_file(data, "data"))


def _npz_of(X: bytes, y: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", X)
        archive.writestr("y.npy", y)
    return buffer.getvalue()


def _npz(data: bytes) -> object:
    """Members as they come, in a sound archive: first X, behind its length, then y."""
    y, X = parts(data, 2)
    path = as_file(_npz_of(X, y), "data.npz")
    with_all = read_npz(path)
    return _read(path), with_all


def _npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _arrays() -> tuple[bytes, bytes]:
    return _npy(np.arange(12, dtype=np.float32).reshape(3, 4)), _npy(np.array([0, 1, 2]))


def _npz_seeds() -> Iterator[bytes]:
    X, y = _arrays()
    yield bytes([len(y)]) + y + X


@functools.cache
def _table() -> pa.Table:
    columns = {f"x{i}": np.arange(20, dtype=np.float32) for i in range(4)}
    return pa.table({**columns, "label": np.arange(20) % 3})


@functools.cache
def _lists() -> pa.Table:
    pixels = pa.array([[1.0, 2.0, 3.0, 4.0]] * 20, type=pa.list_(pa.float32()))
    return pa.table({"pixels": pixels, "label": pa.array(["0", "1"] * 10).dictionary_encode()})


@functools.cache
def _pictures() -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    picture = {"bytes": _picture("PNG"), "path": None}
    return pa.table({"image": pa.array([picture] * 3, type=kind), "label": [0, 1, 2]})


_TABLES = (_table, _lists, _pictures)


@functools.cache
def _parquet(of: Callable[[], pa.Table], packed: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(of(), buffer, compression=packed)
    return buffer.getvalue()


@functools.cache
def _stream(of: Callable[[], pa.Table]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, of().schema) as writer:
        writer.write_table(of(), max_chunksize=7)
    return sink.getvalue().to_pybytes()


@functools.cache
def _arrow(of: Callable[[], pa.Table]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, of().schema) as writer:
        writer.write_table(of(), max_chunksize=7)
    return sink.getvalue().to_pybytes()


def _of_tables(files: Callable[[], list[bytes]]) -> Callable[[bytes], object]:
    """The first byte chooses a sound file, the others patch it."""

    def read(data: bytes) -> object:
        choice = files()
        base = choice[data[0] % len(choice)] if data else choice[0]
        return _read(as_file(patched(base, data[1:]), "table"))

    return read


def _parquets() -> list[bytes]:
    return [_parquet(of, packed) for of in _TABLES for packed in ("none", "snappy", "zstd")]


def _arrows() -> list[bytes]:
    return [made(of) for of in _TABLES for made in (_stream, _arrow)]


def _saved(data: bytes) -> object:
    """A folder of `datasets`: two JSON files as they come, around a sound stream."""
    folder = scratch() / "saved"
    folder.mkdir(exist_ok=True)
    (folder / "part.arrow").write_bytes(_stream(_table))
    info, state = parts(data, 2)
    (folder / "dataset_info.json").write_bytes(info)
    (folder / "state.json").write_bytes(state)
    return _read(folder)


def _saved_seeds() -> Iterator[bytes]:
    names = {"label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
    info = json.dumps({"features": names}).encode()
    state = json.dumps({"_data_files": [{"filename": "part.arrow"}]}).encode()
    yield bytes([len(info)]) + info + state


def _picture(format: str) -> bytes:
    pixels = (np.arange(4 * 4 * 3) % 256).astype(np.uint8).reshape(4, 4, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def _pixels(data: bytes) -> object:
    return decode(data, Frame(2, 2, "grey"))


def _declared_pixels(data: bytes) -> int:
    """What a picture's header says that it unpacks to."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            return opened.width * opened.height * _PIXEL_BYTES
    except Exception:  # noqa: BLE001 - measured only: what is wrong with the picture, the target tells
        return len(data)


def _idx(data: bytes) -> object:
    return idx.read(as_file(data, "idx.gz"), 2)


def _packed_idx(data: bytes) -> object:
    return _idx(gzip.compress(data, 1))


def _idx_file() -> bytes:
    return bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(12)


_CSV = b"x0,x1,x2,x3,label\n0,1,2,3,0\n0.5,1e-3,-2,3,1\n4,5,6,7,2\n"

TARGETS = (
    Target("data-file", _any_file, lambda: [_npz_of(*_arrays()), _CSV], share=0.2),
    Target("npz-members", _npz, _npz_seeds, share=0.3),
    Target("csv", _any_file, lambda: [_CSV, b'a;b;c;d;y\n1;2;3;4;"0"\n'], share=0.3),
    Target("parquet", _of_tables(_parquets), lambda: [bytes([i]) for i in range(9)], share=0.1),
    Target("arrow", _of_tables(_arrows), lambda: [bytes([i]) for i in range(6)], share=0.1),
    Target("saved-dataset", _saved, _saved_seeds, share=0.2),
    Target(
        "picture",
        _pixels,
        lambda: [_picture(format) for format in FORMATS],
        also=(PictureError,),
        declared=_declared_pixels,
        share=0.3,
    ),
    Target("idx", _idx, lambda: [gzip.compress(_idx_file())], also=(ValueError, OSError)),
    Target("idx-inside", _packed_idx, lambda: [_idx_file()], also=(ValueError,)),
)
