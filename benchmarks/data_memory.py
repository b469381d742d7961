"""Time and peak memory of reading a large parquet file as a trainer's data, and of a round of training on it.

    python benchmarks/data_memory.py [--rows 2000000] [--features 64]

Each in a process of its own, so that its peak is what it took. Peaks are of resident memory, pages of mapped files that
are in memory included. The numbers are random: nothing is learned, but speed and memory do not depend on that.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASSES = 10
ROW_GROUP = 200_000
PARTS = ("libraries", "read", "check", "train", "read at once")


def write(path: Path, rows: int, features: int) -> None:
    """Random float32 columns and labels, in row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)
    names = [f"x{i}" for i in range(features)]
    schema = pa.schema([*((name, pa.float32()) for name in names), ("label", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROW_GROUP):
            count = min(ROW_GROUP, rows - start)
            columns = {name: generator.random(count, dtype=np.float32) for name in names}
            labels = generator.integers(0, CLASSES, count)
            writer.write_table(pa.table({**columns, "label": labels}, schema=schema))


def measure(part: str, path: Path, features: int) -> None:
    """Does one part and prints how long the last step of it took and this process's peak."""
    import pyarrow.parquet as pq
    import torch

    from marketplace.learning import tasks
    from marketplace.learning.sources.asked import Reading
    from marketplace.learning.sources.loading import load_sound
    from marketplace.learning.train import local_delta
    from marketplace.spec import ProjectFile
    from marketplace.spec.sections import TaskSection
    from marketplace.spec.template import template

    torch.set_num_threads(1)
    task = tasks.load(TaskSection(kind="softmax", features=features, classes=CLASSES))
    training = ProjectFile.from_toml(template("softmax")).training
    training = training.model_copy(update={"epochs": 1, "batch_size": 64, "learning_rate": 0.01})
    began = time.monotonic()
    if part == "read at once":
        np.column_stack([column.to_numpy() for column in pq.read_table(path).columns])
    elif part != "libraries":
        dataset = load_sound(path, task, Reading(), path.parent)
        if part == "check":
            began = time.monotonic()
            dataset.rows(
                np.sort(np.random.default_rng(0).choice(len(dataset), len(dataset) // 4, replace=False))
            )
        if part == "train":
            began = time.monotonic()
            local_delta(task, task.initial(0), dataset, training, 0, "cpu", threads=1)
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{part:14} {seconds:7.1f} s {peak:8.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        measure(options.part, options.file, options.features)
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder).resolve() / "data.parquet"
        write(path, options.rows, options.features)
        size = 4 * options.rows * options.features
        print(
            f"{options.rows:,} x {options.features}: X {size >> 20} MiB, file {path.stat().st_size >> 20} MiB"
        )
        print(f"{'part':14} {'last step':>9} {'peak':>12}", flush=True)
        for part in PARTS:
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--part", part, "--file", str(path)], check=True
            )


if __name__ == "__main__":
    main()
