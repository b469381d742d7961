"""CPU seconds and peak memory of a proof's life, by shape: `python benchmarks/prove.py 10x650 16x650`.

Each step runs in a process of its own, so that its peak memory is its own. Keys go to a fresh directory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from zk import keys, process, prover
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.shape import CircuitShape, layout_of

_SEED = 1
_COMMITS = 10


def shape_of(text: str) -> CircuitShape:
    """`KxD`, for example 10x650."""
    slots, length = text.split("x")
    return CircuitShape(int(slots), int(length))


def setup(files: CircuitFiles, scratch: Path) -> process.Outcome:
    """Makes the keys of `files` once more, to measure it."""
    return process.run(
        "write_keys",
        {
            "compiled": str(files.compiled),
            "srs": str(files.srs),
            "vk": str(scratch / "vk"),
            "pk": str(scratch / "pk"),
        },
    )


def measure(shape: CircuitShape, table: Table) -> None:
    """Adds the rows of one shape to `table`."""
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        files = keys.build(shape, Path(scratch))
        layout = layout_of(shape)
        rng = np.random.default_rng(_SEED)
        updates = [rng.integers(-(2**15), 2**15, shape.length, dtype=np.int16) for _ in range(shape.slots)]
        name = f"{shape.slots} x {shape.length}"
        detail = (
            f"2^{layout.logrows} rows, {layout.columns} a row, pk {_mib(files.proving_key.stat().st_size)}"
        )
        _row(table, name, "setup", setup(files, Path(scratch)), detail)

        proof = prover.prove(files, updates)
        gram = [int(a.astype(np.int64) @ b) for i, a in enumerate(updates) for b in updates[i:]]
        assert list(proof.gram) == gram
        table.add_row(
            name,
            "witness, prove and check",
            f"{proof.cpu_s:.2f}",
            f"{proof.wall_s:.2f}",
            _mib(proof.peak_rss_bytes),
            f"{len(proof.proof)} bytes",
        )

        started = time.monotonic()
        assert prover.verify(files, proof.proof, proof.gram)
        table.add_row(name, "verify", "", f"{time.monotonic() - started:.2f}", "", "a process of its own")

        committer = Committer(files)
        cpu, wall = time.process_time(), time.monotonic()
        for update in updates[:1] * _COMMITS:
            committer.commit(update)
        cpu, wall = (time.process_time() - cpu) / _COMMITS, (time.monotonic() - wall) / _COMMITS
        fetched = files.vk.stat().st_size, files.srs.stat().st_size
        table.add_row(
            name,
            "commit",
            f"{cpu:.3f}",
            f"{wall:.3f}",
            "",
            f"needs vk {_mib(fetched[0])}, SRS {_mib(fetched[1])}",
        )


def _row(table: Table, name: str, step: str, outcome: process.Outcome, detail: str) -> None:
    table.add_row(
        name, step, f"{outcome.cpu_s:.2f}", f"{outcome.wall_s:.2f}", _mib(outcome.peak_rss_bytes), detail
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB" if size < 2**20 else f"{size / 2**20:.0f} MiB"


def main() -> None:
    """Measures the shapes on the command line and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="*", default=["10x650"], metavar="KxD")
    table = Table("K x d", "step", "CPU s", "wall s", "peak memory", "")
    for text in parser.parse_args().shapes:
        measure(shape_of(text), table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
