"""A trainer's own Flower client in a process of its own: what it gets, what comes back, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, split, tasks
from marketplace.learning.data import Dataset, save_npz
from marketplace.learning.datasets import digits
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TaskSection, TrainingSection
from trainer_node.flower.client import FlowerClient

HERE = Path(__file__).parent
TRAINING = TrainingSection(epochs=40, batch_size=16, learning_rate=1.0, momentum=0.5, clip_norm=40.0)
TASK: Task = tasks.load(TaskSection(kind="softmax", features=64, classes=10))
FLOWER = Path(__file__).parents[4] / "build" / "flower" / "venv" / "bin" / "python"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    training, held_out = digits()
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    save_npz(path, split.iid(training, 4, 0)[0])
    return path, held_out


@pytest.fixture
def client(tmp_path: Path) -> FlowerClient:
    return FlowerClient("clients:echo", Path(sys.executable), tmp_path / "data", HERE, 60.0)


def delta_of(client: FlowerClient, task: Task = TASK, round_: int = 3) -> np.ndarray:
    weights = np.random.default_rng(1).normal(size=task.length)
    return client.delta(task, weights, TRAINING, 7, round_)


def refusal(client: FlowerClient) -> str:
    with pytest.raises(FairshareError) as caught:
        delta_of(client)
    assert caught.value.reason in (Reason.BAD_INPUT, Reason.BAD_DATA)
    assert str(caught.value).isprintable()
    return caught.value.message


def test_what_it_is_given_comes_back_as_the_update(client: FlowerClient) -> None:
    client.check()
    np.testing.assert_allclose(delta_of(client), 3.5, rtol=1e-5)


def test_each_array_goes_to_its_place(client: FlowerClient) -> None:
    task = tasks.load(
        TaskSection.model_validate({"kind": "cnn", "features": 64, "classes": 10, "channels": 2, "hidden": 5})
    )
    np.testing.assert_allclose(delta_of(client, task, 1), 1.5, rtol=1e-5)


def test_it_learns_from_the_trainer_s_data(client: FlowerClient, data: tuple[Path, Dataset]) -> None:
    path, held_out = data
    mine = replace(client, name="clients:Descent", data=path)
    start = TASK.initial(0)
    delta = mine.delta(TASK, start, TRAINING, 7, 1)
    np.testing.assert_array_equal(delta, mine.delta(TASK, start, TRAINING, 7, 1))
    assert evaluate.accuracy(TASK, start + delta, held_out) > 0.8


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Broken", "is gone?[2J"),
        ("Short", "does not hold the 2 arrays"),
        ("Transposed", "array 0 is float32 (64, 10), not float32 (10, 64)"),
        ("Huge", "bytes unpacked"),
        ("NotANumber", "NaN"),
    ],
)
def test_what_is_no_update_is_refused(client: FlowerClient, name: str, problem: str) -> None:
    assert problem in refusal(replace(client, name=f"clients:{name}"))


@pytest.mark.parametrize(
    "name",
    [
        "clients",
        "clients:",
        "os:system; x",
        "../clients:echo",
        "clients:nobody",
        "nowhere:x",
        "clients:nothing",
    ],
)
def test_what_names_no_client_is_refused_before_joining(client: FlowerClient, name: str) -> None:
    with pytest.raises(FairshareError) as caught:
        replace(client, name=name).check()
    assert caught.value.reason is Reason.BAD_INPUT


def test_an_interpreter_that_is_none_is_refused(client: FlowerClient, tmp_path: Path) -> None:
    with pytest.raises(FairshareError, match="cannot be run"):
        replace(client, python=tmp_path / "python").check()


def test_it_gets_none_of_the_node_s_settings(client: FlowerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSHARE_PASSWORD", "secret")
    assert not delta_of(replace(client, name="clients:Secrets")).any()


@pytest.mark.deep
def test_one_that_is_late_is_ended_with_all_that_it_started(client: FlowerClient) -> None:
    assert "took over 4 seconds" in refusal(replace(client, name="clients:Slow", timeout_s=4.0))
    assert not _runs(client.data)


@pytest.mark.deep
def test_it_ends_with_a_node_that_is_killed(client: FlowerClient) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from tests.unit.trainer.flower.test_flower import TASK, TRAINING, HERE, FlowerClient\n"
        "client = FlowerClient('clients:Slow', Path(sys.executable), Path(sys.argv[1]), HERE, 60.0)\n"
        "client.delta(TASK, np.zeros(650), TRAINING, 7, 1)\n"
    )
    node = subprocess.Popen([sys.executable, "-c", code, client.data], cwd=HERE.parents[3])
    _wait_until(lambda: client.data.exists() and len(client.data.read_text().split()) == 2)
    node.send_signal(signal.SIGKILL)
    node.wait()
    bridge, child = map(int, client.data.read_text().split())
    try:
        _wait_until(lambda: not _alive(bridge))
    finally:
        os.kill(child, signal.SIGKILL)  # what a client starts itself, nobody is left to end


@pytest.mark.deep
@pytest.mark.parametrize("name", ["Numpy", "client_fn", "old_app", "new_app"])
def test_flower_s_own_clients_train(client: FlowerClient, data: tuple[Path, Dataset], name: str) -> None:
    path, held_out = data
    assert FLOWER.exists(), "run `make build/flower/venv`"
    start = TASK.initial(0)
    by_flower = replace(client, name=f"flower_apps:{name}", python=FLOWER, data=path)
    by_flower.check()
    delta = by_flower.delta(TASK, start, TRAINING, 7, 1)
    plain = replace(client, name="clients:Descent", data=path).delta(TASK, start, TRAINING, 7, 1)
    np.testing.assert_allclose(delta, plain, atol=1e-4)
    assert evaluate.accuracy(TASK, start + delta, held_out) > 0.8


@pytest.mark.deep
def test_a_flower_app_that_fails_is_told(client: FlowerClient) -> None:
    assert "not today" in refusal(replace(client, name="flower_apps:failing", python=FLOWER))


def _runs(pids: Path) -> bool:
    return any(_alive(int(pid)) for pid in pids.read_text().split())


def _alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(condition: object, timeout_s: float = 60.0) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < give_up_at, "it did not come to that in time"
        time.sleep(0.05)
