"""A table in one file or several alike, read a record batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.cells import rows_of
from marketplace.learning.sources.columns import Layout, Plan, plan
from marketplace.learning.sources.findings import Findings
from marketplace.learning.sources.source import Batch, Description, bad, one_line

IMAGE_ROWS = 64  # of a batch whose cells are images
MAX_SHARDS = 10_000
MAX_RECORD_BATCH = 1 << 30  # bytes: such a batch is in memory as a whole


@dataclass(frozen=True)
class Shard:
    """One file of a table, opened far enough to know its schema. `rows`: None where only reading tells."""

    path: Path
    schema: pa.Schema
    rows: int | None
    read: Callable[[list[str], int], Iterator[pa.RecordBatch]]  # of columns, rows of a batch at most


class TableSource:
    """Shards one after another. Raises BAD_DATA unless all have the columns of the first, alike in type."""

    def __init__(
        self,
        format: str,
        path: Path,
        shards: Sequence[Shard],
        wanted: Wanted,
        reading: Reading,
        names: Sequence[str] = (),
    ) -> None:
        self._shards, self._wanted, self._reading = shards, wanted, reading
        with sound(path):  # names and types may be no text
            first = shards[0]
            self._plan = plan(first.schema, wanted, reading, first.path, names)
            for shard in shards[1:]:
                _check_alike(first, shard, self._plan.columns)
            counts = [shard.rows for shard in shards]
            self.description = Description(
                format=format,
                path=str(path),
                files=len(shards),
                rows=None if None in counts else sum(count or 0 for count in counts),
                label=self._plan.label,
                features=self._plan.features,
                stored_as=_words(self._plan, first.schema),
                names=reading.classes or self._plan.names,
            )

    def batches(self, findings: Findings) -> Iterator[Batch]:
        """See `Source`."""
        most = IMAGE_ROWS if self._plan.layout is Layout.IMAGE else self._wanted.batch_rows
        for shard in self._shards:
            row = 1
            with sound(shard.path):
                for whole in shard.read(self._plan.columns, most):
                    whole.validate(full=True)  # Arrow believes a file's offsets and indices
                    if whole.nbytes > MAX_RECORD_BATCH:
                        raise bad(shard.path, "one batch of it is over 1 GiB", "write it in smaller batches")
                    for start in range(0, whole.num_rows, most):
                        part = whole.slice(start, most)
                        yield rows_of(
                            part, self._plan, self._wanted, self._reading, str(shard.path), row, findings
                        )
                        row += part.num_rows
        pa.default_memory_pool().release_unused()

    def notes(self) -> tuple[str, ...]:
        """See `Source`."""
        return ()


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """What Arrow raises for a file that is not sound, as BAD_DATA."""
    try:
        yield
    except FairshareError:
        raise
    except MemoryError as error:  # pa.ArrowMemoryError is one
        raise FairshareError(
            Reason.TOO_LARGE, f"{path}: a part of it does not fit in memory", "write it in smaller batches"
        ) from error
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise bad(path, f"it cannot be read: {one_line(str(error))}", "write the file anew") from error


def _check_alike(first: Shard, other: Shard, columns: Sequence[str]) -> None:
    for name in columns:
        index = other.schema.get_all_field_indices(name)
        if len(index) != 1 or other.schema.field(name).type != first.schema.field(name).type:
            raise bad(
                other.path,
                f"its column {one_line(name, 40)!r} is missing or of another type than in {first.path.name}",
                "keep tables of one kind in a folder",
            )


def _words(plan: Plan, schema: pa.Schema) -> str:
    kinds = sorted({str(schema.field(name).type) for name in plan.features})
    shown = one_line(", ".join(kinds), 80)
    frame = f", as {plan.frame.words}" if plan.frame else ""
    return f"{plan.layout.value} ({shown}){frame}; labels {one_line(str(schema.field(plan.label).type), 60)}"
