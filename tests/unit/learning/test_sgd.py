"""Plain SGD has torch's numbers, and loads no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from marketplace.learning.sgd import Sgd


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_step_is_torchs_bit_for_bit(momentum: float) -> None:
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    ours = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    ours.load_state_dict(theirs.state_dict())
    unused = nn.Parameter(torch.ones(2))
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=momentum)
    optimiser = Sgd([*ours.parameters(), unused], lr=0.1, momentum=momentum)
    for _ in range(5):
        inputs, labels = torch.randn(4, 7), torch.randint(0, 3, (4,))
        for module, taking in ((theirs, reference), (ours, optimiser)):
            taking.zero_grad()
            nn.functional.cross_entropy(module(inputs), labels).backward()
            taking.step()
        for expected, found in zip(theirs.parameters(), ours.parameters(), strict=True):
            assert torch.equal(expected, found)
    assert torch.equal(unused, torch.ones(2))  # no gradient reached it


def test_a_round_of_training_loads_no_compiler_and_no_algebra() -> None:
    code = """
import sys, numpy as np
from marketplace.learning import tasks, train
from marketplace.learning.data import Dataset
from marketplace.spec import ProjectFile, template
project = ProjectFile.from_toml(template("softmax"))
task, rows = tasks.load(project.task), np.random.default_rng(0).random((20, 64), dtype=np.float32)
train.local_delta(task, task.initial(0), Dataset(rows, np.arange(20) % 10), project.training, 0, "cpu", 1)
assert "torch" in sys.modules and not {"torch._dynamo", "sympy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
