"""What each piece of the sketch path costs: `python benchmarks/chunks.py 1000000 10000000 --cache DIRECTORY`.

CPU seconds of this process, one run each, with made-up updates (int16) and models (int32) over their whole range,
chunks of 4096 numbers and the circuit of 8 updates of 1024 numbers; `peak` is the process's memory so far, in MiB.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from marketplace.protocol.chunk_tree import chunks_of
from marketplace.protocol.sketch import Sketcher
from marketplace.updates.leaves import pack_leaves, unpack_leaves
from marketplace.updates.sketch_values import chunk_values
from marketplace.updates.tree_committer import TreeCommitter, points_of
from zk import keys, worker
from zk.chunk_sums import sums_hold
from zk.files import CircuitFiles
from zk.opening import open_chunk, open_value
from zk.shape import CircuitShape

_SHAPE, _CHUNK = CircuitShape(8, 1024), 4096
_MERGED, _Z, _SEED = 6, 5, 1
_Made = TypeVar("_Made")


def measure(
    files: CircuitFiles,
    length: int,
    kind: type[np.signedinteger[Any]],
    table: Table,
    *,
    merged: int = _MERGED,
) -> None:
    """Adds the rows for one vector to `table`."""
    chunks = chunks_of(length, _CHUNK)
    limits = np.iinfo(kind)
    vector = np.random.default_rng(_SEED).integers(limits.min, int(limits.max) + 1, chunks * _CHUNK, kind)
    name = f"{length:,} {np.dtype(kind).name}"
    table.add_row(name, "the vector is there", "", _peak())

    def timed(step: str, act: Callable[[], _Made]) -> _Made:
        began = time.process_time()
        made = act()
        table.add_row(name, step, f"{time.process_time() - began:.3f}", _peak())
        return made

    committer, sketcher = TreeCommitter(files, _CHUNK, chunks), Sketcher(bytes(32), _SHAPE.length)
    tree = timed("points, hashes, root", lambda: (made := committer.tree(vector), made.root)[0])
    assert timed("leaves agree with the vector", lambda: committer.agrees(vector, tree.leaves))
    packed = pack_leaves(tree.leaves)
    assert timed("leaves read", lambda: unpack_leaves(packed, chunks)) == tree.leaves
    points = points_of(tree.leaves)
    others = [points[at:] + points[:at] for at in range(1, merged + 1)]
    timed(f"{merged} merged: sums of points", lambda: sums_hold(points, points, others, files.zero))
    sketch = timed("sketch, seed new", lambda: sketcher.sketch(vector))
    timed("sketch again", lambda: sketcher.sketch(vector))
    timed("sketch's commitment", lambda: committer.sketch_commitment(sketch))
    timed("values of all chunks", lambda: chunk_values(sketcher, vector, _CHUNK, files.logrows, _Z))
    timed("opening of a value", lambda: open_value(files, sketch, _Z))
    timed("opening of a chunk", lambda: open_chunk(files, vector[:_CHUNK], circuit=bytes(32)))
    table.add_section()


def _peak() -> str:
    return f"{worker._peak_rss_bytes() / 2**20:.0f}"


def main() -> None:
    """Measures the lengths on the command line and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lengths", nargs="*", type=int, default=[1_000_000], metavar="PARAMETERS")
    parser.add_argument("--cache", type=Path, help="where circuits are kept; a fresh directory without it")
    given = parser.parse_args()
    console = Console(width=100)
    table = Table("numbers", "step", "CPU s", "peak")
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        files = keys.build(_SHAPE, given.cache or Path(scratch))
        for length in given.lengths:
            for kind in (np.int16, np.int32):
                measure(files, length, kind, table)
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
