"""All contestants do the same work: the plain loop's round is the market's, bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sidebyside import plain, prepare, usage
from sidebyside.plain import Part, Work

from marketplace.errors import FairshareError, Reason
from marketplace.learning import tasks, train
from marketplace.learning.data import Dataset
from trainer_node.work import seed_of

WORKS = [Work("mlp", 5, 0, 3, 1, 2, 4, 0.05, 0.9, 7), Work("cnn", 6, 2, 3, 1, 2, 4, 0.05, 0.9, 7)]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: str(work.kind))
def test_a_round_is_the_markets(work: Work) -> None:
    project = prepare.project_file(work, "proved")
    task = tasks.load(project.task)
    assert task.length == plain.parameters(work)
    random = np.random.default_rng(0)
    data = Dataset(random.random((18, 784), dtype=np.float32), random.integers(0, 10, 18))
    start = task.initial(project.training.seed).astype(np.float32)
    delta = train.local_delta(
        task, start.astype(np.float64), data, project.training, seed_of(work.seed + 2, 3), "cpu", 1
    )
    part = Part(torch.from_numpy(data.X), torch.from_numpy(data.y))
    with train.torch_threads(1):  # as every contestant
        found = plain.train(work, start, part, 2, 3)
    assert np.array_equal(found.astype(np.float64) - start.astype(np.float64), delta)
    assert delta.any()


def test_usage_counts_what_a_command_starts(tmp_path: Path) -> None:
    spend = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spend!r}]); {spend}"
    used = usage.used_by([sys.executable, "-c", code], {}, tmp_path / "log", timeout_s=60)
    assert used.cpu_s >= 0.6
    assert used.wall_s >= 0.6


def test_what_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(FairshareError) as caught:
        usage.used_by([sys.executable, "-c", "raise SystemExit(3)"], {}, tmp_path / "log", timeout_s=60)
    assert caught.value.reason is Reason.INTERNAL
