"""Several processes train what one does, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning import tasks
from marketplace.learning.data import Dataset
from marketplace.learning.engine import exchange
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TaskSection, TrainingSection

# What two processes can train on: with one GPU they cannot.
SHAREABLE = ["cpu"] + ["cuda"] * (torch.cuda.device_count() > 1)
WORKER = "marketplace.learning.engine.worker"
MLP = TaskSection.model_validate({"kind": "mlp", "features": 64, "classes": 10, "hidden": 24})
TEAMS = {
    "copies": Engine(processes=2),
    "copies, cut and fed ahead": Engine(processes=2, accumulate=3, workers=1),
    "shards": Engine(processes=2, shard_from=1),
    "shards, cut": Engine(processes=2, shard_from=1, accumulate=3),
}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's processes keep their files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def delta(
    section: TaskSection, data: Dataset, recipe: TrainingSection, engine: Engine, device: str = "cpu"
) -> np.ndarray:
    task = tasks.load(section)
    return local_delta(task, task.initial(0), data, recipe, 7, device, 1, engine, section)


def trainers(folder: Path) -> list[int]:
    """Process ids of the training processes with files in `folder`."""
    listed = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if WORKER in line and str(folder) in line]


def assert_nothing_left(folder: Path) -> None:
    """But torch's cache, one for all of a user's processes."""
    assert not [each.name for each in folder.iterdir() if not each.name.startswith("torchinductor_")]


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.deep
@pytest.mark.parametrize("device", SHAREABLE)
@pytest.mark.parametrize("name", TEAMS)
def test_two_processes_train_what_one_does(
    name: str, device: str, section: TaskSection, part: Dataset, recipe: TrainingSection, temporary: Path
) -> None:
    alone = delta(section, part, recipe, PLAIN, device)
    together = delta(section, part, recipe, TEAMS[name], device)
    np.testing.assert_allclose(together, alone, atol=2e-4 * np.abs(alone).max())
    assert_nothing_left(temporary)


@pytest.mark.deep
def test_a_round_that_diverges_says_so(part: Dataset, recipe: TrainingSection) -> None:
    wild = Dataset(part.X * np.float32(1e30), part.y)
    with pytest.raises(FairshareError) as caught:
        delta(MLP, wild, recipe, Engine(processes=2))
    assert caught.value.reason is Reason.BAD_DATA


@pytest.mark.deep
def test_what_a_process_refuses_is_raised_here(part: Dataset, recipe: TrainingSection) -> None:
    with pytest.raises(FairshareError) as caught:
        delta(MLP, part, recipe, Engine(processes=2, precision="fp16", shard_from=1))
    assert caught.value.reason is Reason.BAD_INPUT
    assert "fp16" in caught.value.message


@pytest.mark.deep
def test_a_process_that_is_killed_is_an_error_and_takes_the_others_along(
    part: Dataset, recipe: TrainingSection, temporary: Path
) -> None:
    endless, caught = recipe.model_copy(update={"epochs": 1000}), []

    def train() -> None:
        try:
            delta(MLP, part, endless, Engine(processes=2))
        except FairshareError as error:
            caught.append(error)

    thread = Thread(target=train)
    thread.start()
    until(lambda: len(trainers(temporary)) == 2)
    time.sleep(1.0)
    os.kill(trainers(temporary)[0], signal.SIGKILL)
    thread.join(60)
    assert [error.reason for error in caught] == [Reason.INTERNAL]
    assert "was killed by signal 9" in caught[0].message
    assert not trainers(temporary)
    assert_nothing_left(temporary)


@pytest.mark.deep
def test_a_node_that_is_killed_leaves_no_process_behind(temporary: Path) -> None:
    code = (
        "import numpy as np\n"
        "from marketplace.learning import tasks\n"
        "from marketplace.learning.data import Dataset\n"
        "from marketplace.learning.engine.options import Engine\n"
        "from marketplace.learning.train import local_delta\n"
        "from marketplace.spec.sections import TaskSection, TrainingSection\n"
        "section = TaskSection(kind='softmax', features=64, classes=10)\n"
        "task = tasks.load(section)\n"
        "data = Dataset(np.zeros((1000, 64), np.float32), np.zeros(1000, np.int64))\n"
        "recipe = TrainingSection(epochs=1000, batch_size=1, learning_rate=0.1, clip_norm=1.0)\n"
        "local_delta(task, task.initial(0), data, recipe, 0, 'cpu', 1, Engine(processes=2), section)\n"
    )
    node = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(temporary)})
    try:
        until(lambda: len(trainers(temporary)) == 2)
        time.sleep(1.0)
    finally:
        node.kill()
        node.wait()
    until(lambda: not trainers(temporary), 10.0)


def request(data: Dataset) -> exchange.Request:
    training = TrainingSection(epochs=1, batch_size=4, learning_rate=0.1, clip_norm=1.0)
    return exchange.Request(MLP, training, 3, "cpu", 1, Engine(processes=2), *data.X.shape, False)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_request_is_read_as_it_was_written(mapped: bool, part: Dataset, tmp_path: Path) -> None:
    asked, start = replace(request(part), mapped=mapped), np.arange(5.0)
    exchange.write_request(tmp_path, asked, start, part)
    read, vector, data = exchange.read_request(tmp_path)
    assert read == asked
    np.testing.assert_array_equal(vector, start)
    np.testing.assert_array_equal(data.X, part.X)
    np.testing.assert_array_equal(data.y, part.y)
    assert (data.pages is not None) is mapped


def test_a_result_of_another_shape_is_refused(tmp_path: Path) -> None:
    assert exchange.read_delta(tmp_path, 5) is None
    exchange.write_delta(tmp_path, np.arange(5.0))
    np.testing.assert_array_equal(exchange.read_delta(tmp_path, 5), np.arange(5.0))  # type: ignore[arg-type]
    with pytest.raises(FairshareError) as caught:
        exchange.read_delta(tmp_path, 6)
    assert caught.value.reason is Reason.INTERNAL


def test_a_pickle_is_no_result(tmp_path: Path) -> None:
    np.save(tmp_path / exchange.DELTA, np.array([object()]), allow_pickle=True)
    with pytest.raises(FairshareError) as caught:
        exchange.read_delta(tmp_path, 1)
    assert caught.value.reason is Reason.INTERNAL


def test_the_cause_is_told_not_what_followed(tmp_path: Path) -> None:
    assert exchange.read_problem(tmp_path) is None
    exchange.write_problem(tmp_path, 0, FairshareError(Reason.INTERNAL, "lost process 1"))
    exchange.write_problem(tmp_path, 1, FairshareError(Reason.BAD_DATA, "no rows", "give some"))
    (tmp_path / exchange.PROBLEM.format(2)).write_text('{"rea')
    problem = exchange.read_problem(tmp_path)
    assert problem is not None
    assert (problem.reason, problem.message, problem.hint) == (Reason.BAD_DATA, "no rows", "give some")


def test_without_room_for_the_data_nothing_is_started(
    part: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
    with pytest.raises(FairshareError) as caught:
        exchange.write_request(tmp_path, request(part), np.zeros(5), part)
    assert caught.value.reason is Reason.TOO_LARGE
    assert not list(tmp_path.iterdir())
