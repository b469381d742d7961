"""A round's training in several processes: starts them through torchrun's agent, and waits for what they made."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine import exchange
from marketplace.learning.engine.options import Engine
from marketplace.spec.sections import TaskSection, TrainingSection
from zk.lifeline import package_path
from zk.scratch import clean, scratch

Floats = NDArray[np.float64]

_STDERR_TAIL = 4096
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


def trained_delta(
    section: TaskSection,
    start: Floats,
    dataset: Dataset,
    training: TrainingSection,
    seed: int,
    device: str,
    threads: int | None,
    engine: Engine,
) -> Floats:
    """As `loop.trained_delta`, by `engine.processes` processes of this machine: float64[d].

    None of them outlives this call or this process. Raises what stopped them; INTERNAL where one crashed or was killed.
    """
    rows, features = dataset.X.shape
    request = exchange.Request(
        section, training, seed, device, threads, engine, rows, features, dataset.pages is not None
    )
    clean()  # copies of the data that a killed node has left
    with scratch() as folder, tempfile.TemporaryFile() as log:
        exchange.write_request(folder, request, start, dataset)
        agent = _start(folder, engine.processes, log)
        try:
            status = agent.wait()
        finally:
            _stop(agent)
        problem = exchange.read_problem(folder)
        delta = exchange.read_delta(folder, len(start)) if status == 0 and problem is None else None
        if delta is not None:
            return delta
        if problem is not None and problem.reason is not Reason.INTERNAL:
            raise problem
        raise _crashed(problem, _tail(log))


def _start(folder: Path, processes: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    # Keys and passwords are no business of what trains.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
    environment["PYTHONPATH"] = package_path()
    environment |= {"GLOO_SOCKET_IFNAME": _LOOPBACK, "NCCL_SOCKET_IFNAME": _LOOPBACK}
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "marketplace.learning.engine.agent",
            str(folder),
            str(processes),
            str(os.getpid()),
        ],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches them through us alone
    )


def _stop(agent: subprocess.Popen[bytes]) -> None:
    if agent.poll() is None:
        agent.kill()
        agent.wait()
    if agent.stdin is not None:
        agent.stdin.close()


def _tail(log: IO[bytes]) -> str:
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - _STDERR_TAIL))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def _crashed(problem: FairshareError | None, last_line: str) -> FairshareError:
    said = last_line if problem is None else f"{last_line}; {problem.message}"
    return FairshareError(
        Reason.INTERNAL,
        f"training in several processes failed: {said}",
        "check the memory that is free and start again: nothing of the round is lost but this training",
    )
