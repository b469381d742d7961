"""Fuzzing of every decoder; what once failed stays in the corpus. `tests/fuzz/__main__.py` says how."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marketplace.chain.compile import project_root
from marketplace.errors import FairshareError
from tests.fuzz import corpus
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.watch import LEAST_DECLARED, MOST_TIMES, Misbehaved, Watch

_QUICK_RUNS, _QUICK_SEED = 100, 1
_DEEP_RUNS = 32_000  # of a target with share 1; over a million in all
SEED = "FAIRSHARE_FUZZ_SEED"

needs_atheris = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64",
    reason="atheris has wheels for Linux on x86-64 only; the corpus is read everywhere",
)


def fuzz(folder: Path, *names: str, runs: int, seed: int) -> list[dict[str, Any]]:
    """What came of each target; fails with the inputs in hex where any misbehaved."""
    command = [sys.executable, "-m", "tests.fuzz", *names, f"--runs={runs}", f"--seed={seed}"]
    done = subprocess.run(
        [*command, f"--failures={folder}"],
        cwd=project_root(),
        env={**os.environ, "PYTHONPATH": str(project_root())},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, f"seed {seed}:\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name: str) -> None:
    """Sound inputs, and every input that once found a bug."""
    target = TARGETS[name]
    inputs = [data for _, data in corpus.of(target)]
    assert inputs
    with Watch(target) as watch:
        watch.warm_up(inputs)
        for data in inputs:
            watch.run(data)


def test_every_target_has_sound_seeds() -> None:
    """A decoder that refuses all of its seeds is never fuzzed beyond its first check."""
    for target in TARGETS.values():
        taken = 0
        for data in target.seeds():
            try:
                target.decode(data)
                taken += 1
            except (FairshareError, *target.also):
                continue
        assert taken, target.name


def test_what_servers_are_asked_gets_through() -> None:
    """Where a refusal looks like an answer: a sound endpoint is heard, a sound request has its page."""
    news, request = TARGETS["head-news"], TARGETS["api-request"]
    assert [news.decode(data) for data in news.seeds()] == [
        3,
        0,
        4,
        3,
        2,
        2,
        0,
    ]  # announcements, and the hanging up
    statuses = [request.decode(data) for data in request.seeds()]
    assert statuses.count(200) == 14
    assert set(statuses) == {200, 307, 404, 405, 503}


@needs_atheris
def test_some_thousand_inputs(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path, runs=_QUICK_RUNS, seed=_QUICK_SEED)
    assert {outcome["target"] for outcome in outcomes} == set(TARGETS)
    assert sum(outcome["inputs"] for outcome in outcomes) > 3000


@pytest.mark.deep
@needs_atheris
@pytest.mark.timeout(900)
def test_a_million_inputs(tmp_path: Path) -> None:
    """Seeds are drawn anew each time: FAIRSHARE_FUZZ_SEED plays one again."""
    seed = int(os.environ.get(SEED, random.randrange(1, 2**31)))
    outcomes = fuzz(project_root() / "build" / "fuzz", runs=_DEEP_RUNS, seed=seed)
    assert sum(outcome["inputs"] for outcome in outcomes) >= 1_000_000


def test_the_watch_sees_what_it_is_for() -> None:
    """An exception that is not allowed, slowness, memory out of proportion."""

    def spin(data: bytes) -> object:
        return sum(range(100_000_000)) if data else None

    def swell(data: bytes) -> object:
        return bytearray(MOST_TIMES * LEAST_DECLARED + (8 << 20)).count(b"x")

    for decode, error in ((spin, Misbehaved), (swell, Misbehaved), (lambda data: {}[data], KeyError)):
        with Watch(Target("bad", decode, lambda: [b"x"])) as watch, pytest.raises(error):
            watch.run(b"x")
