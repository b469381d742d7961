"""Parquet, a file or a folder of them: pages are unpacked as they are needed, never a whole row group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.tables import Shard, TableSource, sound

MAGIC = b"PAR1"
_BUFFER = 1 << 16  # bytes read ahead of each column
_MAX_STRING = _MAX_CONTAINER = 10_000_000  # of the file's own description


def parquet(path: Path, files: Sequence[Path], wanted: Wanted, how: Reading) -> TableSource:
    """The table in `files`. Raises BAD_DATA, TOO_LARGE."""
    return TableSource("parquet", path, [_shard(file) for file in files], wanted, how)


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(
        path,
        buffer_size=_BUFFER,
        pre_buffer=False,
        thrift_string_size_limit=_MAX_STRING,
        thrift_container_size_limit=_MAX_CONTAINER,
    )


def _shard(path: Path) -> Shard:
    def read(columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        with _open(path) as file:
            yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)

    with sound(path), _open(path) as file:
        return Shard(path, file.schema_arrow, file.metadata.num_rows, read)
