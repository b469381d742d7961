"""A Flower client that the trainer named on its command line, run in a process of its own.

It is the trainer's own code, chosen here and never named by a spec. What comes back is checked all the same: an array
of each shape, of finite numbers.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.sources.npz import read_named
from marketplace.learning.tasks import Task
from marketplace.learning.train import finite
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]

BRIDGE = Path(__file__).with_name("bridge.py")
PROBE_S = 120.0  # to import the client: torch and Flower take their time
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_TAIL = 4096
_SECRET = "FAIRSHARE_"  # settings of the node, its password among them


@dataclass(frozen=True)
class FlowerClient:
    """`name`: "module:object", found from `folder`: a NumPyClient, its class, a ClientApp or a client_fn.

    `python`: the interpreter that runs it; `data`: what `--data` names; `timeout_s`: for a round.
    """

    name: str
    python: Path
    data: Path
    folder: Path
    timeout_s: float

    def check(self) -> None:
        """Import it once, so that nobody joins who cannot train. Raises BAD_INPUT."""
        if not _NAME.fullmatch(self.name):
            raise FairshareError(
                Reason.BAD_INPUT, f"{self.name!r} names no Flower client", "write it as module:object"
            )
        self._run({"probe": True}, {}, min(PROBE_S, self.timeout_s))

    def delta(self, task: Task, weights: Floats, training: TrainingSection, seed: int, round_: int) -> Floats:
        """What its `fit` makes of the global model `weights`, less that: float64[d], not yet clipped.

        It gets the model's trained arrays, float32, named and in order as in torch's `named_parameters`, and for its
        config the spec's [training], `seed`, `round` and the path `data`. Raises BAD_INPUT where it fails, is late, or
        gives something else.
        """
        start = weights.astype(np.float32).astype(np.float64)
        module = task.module(start)
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        arrays = {name: p.detach().numpy() for name, p in trained.items()}
        config = {
            "epochs": training.epochs,
            "batch_size": training.batch_size,
            "learning_rate": training.learning_rate,
            "momentum": training.momentum,
            "seed": seed,
            "round": round_,
            "data": str(self.data.absolute()),
        }
        made = self._run({"probe": False, "config": config}, arrays, self.timeout_s)
        _put(trained, made)
        return finite(task.vector(module) - start)

    def _run(
        self,
        request: Mapping[str, object],
        arrays: Mapping[str, NDArray[np.float32]],
        timeout_s: float,
    ) -> list[NDArray[np.float32]]:
        with tempfile.TemporaryDirectory(prefix="fairshare-flower-") as name, tempfile.TemporaryFile() as log:
            exchange = Path(name)  # readable by this user alone
            np.savez(exchange / "parameters.npz", **{str(i): a for i, a in enumerate(arrays.values())})  # type: ignore[arg-type]
            whole = {"client": self.name, "names": list(arrays), **request}
            (exchange / "request.json").write_text(json.dumps(whole), "utf8")
            self._wait(exchange, log, timeout_s)
            return [] if request["probe"] else _result(exchange / "result.npz", list(arrays.values()))

    def _wait(self, exchange: Path, log: IO[bytes], timeout_s: float) -> None:
        """Run the bridge to its end. It never outlives this call, nor this process."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
        try:
            process = subprocess.Popen(
                [self.python, BRIDGE, exchange],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own, so that what it starts ends with it
            )
        except OSError as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{self.python} cannot be run: {error.strerror}", "check --flower-python"
            ) from error
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"took over {timeout_s:g} seconds", "let it train for less long") from error
        finally:
            _end(process)
        if status != 0:
            raise self._failed(f"ended with {status}: {_last_line(log)}", "try it by itself first")

    def _failed(self, how: str, hint: str) -> FairshareError:
        return FairshareError(Reason.BAD_INPUT, f"the Flower client {self.name} {how}", hint)


def chosen_client(
    name: str | None, python: Path | None, data: Path, timeout_s: float, *, noise: bool, engine: Engine
) -> FlowerClient | None:
    """The client that the command line names, tried; None where it names none.

    `noise`: the trainer is to train with differential privacy, which is refused: nobody could vouch for its noise.
    So is an `engine` other than the plain one: the client trains as it likes. Raises BAD_INPUT.
    """
    if name is None:
        if python is not None:
            raise FairshareError(Reason.BAD_INPUT, "--flower-python goes with --flower", "give both or none")
        return None
    if noise:
        raise FairshareError(
            Reason.BAD_INPUT, "a Flower client's training gets no noise", "leave --flower out"
        )
    if engine != PLAIN:
        raise FairshareError(
            Reason.BAD_INPUT,
            "a Flower client decides itself how it trains",
            "leave out --precision, --accumulate, --workers, --compile and --processes",
        )
    client = FlowerClient(name, python or Path(sys.executable), data, Path.cwd(), timeout_s)
    client.check()
    return client


def _result(path: Path, wanted: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The arrays in the bridge's result, of the shapes of `wanted`."""
    keys = tuple(str(i) for i in range(len(wanted)))
    try:
        made = read_named(path, keys, sum(array.nbytes + 1024 for array in wanted))
    except FairshareError as error:
        raise _not_fitting(error.message) from error
    for key, array, like in zip(keys, made, wanted, strict=True):
        if array.dtype != np.float32 or array.shape != like.shape:
            raise _not_fitting(f"array {key} is {array.dtype} {array.shape}, not float32 {like.shape}")
    return made


def _not_fitting(problem: str) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT,
        f"what the Flower client gave is not the model: {problem}",
        "let `fit` return the arrays that it was given, trained, in the same order",
    )


def _put(trained: Mapping[str, nn.Parameter], arrays: Sequence[NDArray[np.float32]]) -> None:
    import torch

    with torch.no_grad():
        for parameter, array in zip(trained.values(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array.copy()))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and all that it started."""
    with contextlib.suppress(ProcessLookupError):  # where all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _last_line(log: IO[bytes]) -> str:
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - _TAIL))
    lines = log.read().decode("utf8", "replace").strip().splitlines()
    said = lines[-1] if lines else "it said nothing"
    return "".join(c if c.isprintable() else "?" for c in said)[:300]
