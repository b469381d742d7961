"""Large data stays on disk: the same rows, the same training, little memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate
from marketplace.learning.data import Dataset
from marketplace.learning.sources import holding
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.train import local_delta
from marketplace.spec import ProjectFile
from marketplace.spec.template import template
from tests.support.data_files import CLASSES, FEATURES, TASK, digits

WANTED = Wanted(FEATURES, CLASSES)
TRAINING = ProjectFile.from_toml(template("softmax")).training.model_copy(update={"epochs": 2})


def in_batches(data: Dataset, rows: int = 50) -> Iterator[holding.Rows]:
    for start in range(0, len(data), rows):
        yield data.X[start : start + rows], data.y[start : start + rows]


def test_rows_on_disk_are_the_rows(tmp_path: Path) -> None:
    data = digits(500)
    for limit in (0, 100 * 4 * FEATURES, data.X.nbytes - 1):
        held = holding.hold(in_batches(data), WANTED, tmp_path / "data", in_memory=limit)
        assert held is not None
        assert held.pages is not None
        np.testing.assert_array_equal(held.X, data.X)
        np.testing.assert_array_equal(held.y, data.y)
        held.pages.touch(10**9)  # gives everything back
        np.testing.assert_array_equal(held.X, data.X)
    assert list((tmp_path / "data").iterdir()) == []  # the file has no name
    assert (tmp_path / "data").stat().st_mode & 0o77 == 0
    small = holding.hold(in_batches(data), WANTED, tmp_path / "none")
    assert small is not None
    assert small.pages is None
    assert not (tmp_path / "none").exists()


def test_training_on_disk_is_training_in_memory(tmp_path: Path) -> None:
    data = digits(300)
    held = holding.hold(in_batches(data), WANTED, tmp_path, in_memory=0)
    assert held is not None
    start = TASK.initial(0)
    deltas = [local_delta(TASK, start, one, TRAINING, 7, "cpu", threads=1) for one in (data, held)]
    np.testing.assert_array_equal(*deltas)
    assert evaluate.loss(TASK, deltas[0], held) == evaluate.loss(TASK, deltas[0], data)


def test_no_rows_are_no_data(tmp_path: Path) -> None:
    assert holding.hold(iter(()), WANTED, tmp_path) is None


def test_too_many_rows_end_before_memory_does(tmp_path: Path) -> None:
    rows = np.zeros((1, 1), dtype=np.float32)
    many = np.zeros(holding.MAX_ROWS + 1, dtype=np.int8)
    with pytest.raises(FairshareError) as caught:
        holding.hold([(rows, many)], Wanted(1, 2), tmp_path)  # type: ignore[list-item]
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FairshareError) as caught:
        holding.hold(in_batches(digits(50)), WANTED, tmp_path / "file" / "data", in_memory=0)
    assert caught.value.reason is Reason.BAD_INPUT
    assert "--cache-dir" in caught.value.hint


def test_a_large_table_is_read_and_trained_on_in_little_memory(tmp_path: Path) -> None:
    """In a process of its own, whose peak is what it took: X has 128 MB, and read at once takes several times that."""
    code = (
        "import sys, resource, numpy as np, pyarrow as pa, pyarrow.parquet as pq\n"
        "from pathlib import Path\n"
        "from marketplace.learning.sources import holding\n"
        "from marketplace.learning.sources.asked import Reading, Wanted\n"
        "from marketplace.learning.sources.checking import Survey, checked_batches\n"
        "from marketplace.learning.sources.findings import Findings\n"
        "from marketplace.learning.sources.opening import open_source\n"
        "folder = Path(sys.argv[1])\n"
        "names = [f'x{i}' for i in range(64)]\n"
        "part = {name: np.zeros(50_000, np.float32) for name in names} | {'y': np.arange(50_000) % 10}\n"
        "part = pa.table(part)\n"
        "with pq.ParquetWriter(folder / 'data', part.schema) as writer:\n"
        "    for _ in range(10):\n"
        "        writer.write_table(part)\n"
        "wanted, survey = Wanted(64, 10), Survey(Wanted(64, 10), Findings())\n"
        "source = open_source(folder / 'data', wanted, Reading())\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "held = holding.hold(checked_batches(source, survey), wanted, folder, in_memory=8 << 20)\n"
        "order = np.random.default_rng(0).permutation(len(held))\n"
        "for i in range(0, len(held), 512):\n"
        "    held.X[order[i : i + 512]].sum()\n"
        "    held.touch(512)\n"
        "print(survey.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 500_000
    assert kilobytes < 90_000
