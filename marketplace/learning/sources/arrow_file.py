"""Arrow's IPC formats: a file that can be sought in, or a stream. Record batches are read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.tables import Shard, TableSource, sound

MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"  # before each message


def arrow(
    path: Path, files: Sequence[Path], wanted: Wanted, how: Reading, names: Sequence[str] = ()
) -> TableSource:
    """The table in `files`; `names`: of the classes, where labels are numbers. Raises BAD_DATA, TOO_LARGE."""
    return TableSource("arrow", path, [shard(file) for file in files], wanted, how, names)


def shard(path: Path) -> Shard:
    """One file of either kind. Raises BAD_DATA, TOO_LARGE."""

    def read(columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(path)) as file:
            for batch in _batches(file):
                yield batch.select(columns)

    with sound(path), pa.OSFile(str(path)) as file:
        is_file = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        opened = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        return Shard(path, opened.schema, None, read)


def _batches(file: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    is_file = file.read(len(MAGIC)) == MAGIC
    file.seek(0)
    if not is_file:
        yield from pa.ipc.open_stream(file)
        return
    opened = pa.ipc.open_file(file)
    for i in range(opened.num_record_batches):
        yield opened.get_batch(i)
