"""Which engines are refused, and what the trainer is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.checks import check_combination, check_machine, is_sharded
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TrainingSection
from tests.support.devices import HERE

CHANGING = {
    "--precision": Engine(precision="bf16"),
    "--accumulate": Engine(accumulate=2),
    "--compile": Engine(compile=True),
    "--processes": Engine(processes=2),
}


@pytest.mark.parametrize("flag", CHANGING)
def test_what_changes_results_goes_neither_with_noise_nor_with_a_deterministic_spec(
    flag: str, recipe: TrainingSection, softmax: Task, part: Dataset
) -> None:
    engine, strict = CHANGING[flag], recipe.model_copy(update={"deterministic": True})
    check_combination(engine, recipe, private=False)
    for training, private in ((recipe, True), (strict, False)):
        with pytest.raises(FairshareError) as caught:
            check_combination(engine, training, private=private)
        assert caught.value.reason is Reason.BAD_INPUT
        assert flag in caught.value.message
    with pytest.raises(FairshareError):
        local_delta(softmax, softmax.initial(0), part, strict, 0, "cpu", 1, engine)


def test_reading_ahead_goes_with_a_deterministic_spec_but_not_with_noise(recipe: TrainingSection) -> None:
    engine = Engine(workers=2)
    check_combination(engine, recipe.model_copy(update={"deterministic": True}), private=False)
    with pytest.raises(FairshareError, match="--workers"):
        check_combination(engine, recipe, private=True)


def test_the_plain_engine_goes_with_everything(recipe: TrainingSection) -> None:
    for private in (False, True):
        check_combination(PLAIN, recipe.model_copy(update={"deterministic": True}), private=private)
    for device in HERE:
        check_machine(PLAIN, device)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(FairshareError, match="each process has a GPU"):
        check_machine(Engine(processes=2), "cuda")


def test_a_device_without_bf16_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(FairshareError, match="bf16"):
        check_machine(Engine(precision="bf16"), "cuda")


def test_several_processes_on_metal_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(FairshareError, match="one process"):
        check_machine(Engine(processes=2), "mps")


@pytest.mark.deep
def test_without_a_compiler_compiling_is_refused(tmp_path: Path) -> None:
    """In a process of its own: torch remembers what compiler it has found."""
    code = (
        "from marketplace.errors import FairshareError\n"
        "from marketplace.learning.engine.checks import check_machine\n"
        "from marketplace.learning.engine.options import Engine\n"
        "try:\n    check_machine(Engine(compile=True), 'cpu')\n"
        "except FairshareError as error:\n    print(error.reason)"
    )
    environment = os.environ | {"PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("CXX", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "tool-missing"


def test_a_model_that_is_shared_goes_with_neither_fp16_nor_compiling() -> None:
    module = torch.nn.Linear(9, 10)
    assert not is_sharded(Engine(processes=2, shard_from=101), module)
    assert is_sharded(Engine(processes=2, shard_from=100, precision="bf16"), module)
    assert not is_sharded(Engine(shard_from=1), module)
    for engine in (
        Engine(processes=2, shard_from=100, precision="fp16"),
        Engine(processes=2, shard_from=100, compile=True),
    ):
        with pytest.raises(FairshareError, match="shared by the processes"):
            is_sharded(engine, module)


def test_processes_need_to_know_what_to_make_the_task_from(
    softmax: Task, part: Dataset, recipe: TrainingSection
) -> None:
    with pytest.raises(ValueError, match="section"):
        local_delta(softmax, np.zeros(650), part, recipe, 0, "cpu", 1, Engine(processes=2))
