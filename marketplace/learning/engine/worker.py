"""One of several processes that train a model together: `python -m marketplace.learning.engine.worker FOLDER PARENT`.

torchrun's agent, process PARENT, starts it and says in its environment which one it is. It leaves the delta (process 0)
or what stopped it in FOLDER.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType

from marketplace.errors import FairshareError, Reason
from marketplace.learning.devices import pick_device, torch_threads
from marketplace.learning.engine.checks import is_sharded
from marketplace.learning.engine.exchange import STORE, read_request, write_delta, write_problem
from marketplace.learning.engine.loop import trained_delta
from marketplace.learning.engine.team import Copies, Shards
from marketplace.learning.tasks import load
from zk.lifeline import die_with

_EXCHANGE_S = 600  # that a process waits for the others' gradients


def main() -> None:
    """Exit status 1 after a problem, which is then in FOLDER.

    It leaves without Python's shutdown, which gloo's threads can abort.
    """
    folder, rank, size = Path(sys.argv[1]), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    sys.excepthook = partial(_fail, folder, rank)
    die_with(int(sys.argv[2]))
    _train(folder, rank, size)
    sys.stderr.flush()
    os._exit(0)


def _fail(
    folder: Path, rank: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.__excepthook__(kind, error, trace)
    if not isinstance(error, FairshareError):
        said = (str(error).strip() or kind.__name__).splitlines()[0]
        error = FairshareError(Reason.INTERNAL, f"process {rank}: {said}")
    write_problem(folder, rank, error)
    sys.stderr.flush()
    os._exit(1)


def _train(folder: Path, rank: int, size: int) -> None:
    import torch
    import torch.distributed as dist

    request, start, dataset = read_request(folder)
    task, where = load(request.section), pick_device(request.device)
    if where.type == "cuda":
        where = torch.device("cuda", rank)
        torch.cuda.set_device(where)
    dist.init_process_group(
        "nccl" if where.type == "cuda" else "gloo",
        init_method=(folder / STORE).as_uri(),
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=_EXCHANGE_S),
    )
    kind = Shards if is_sharded(request.engine, task.module(start)) else Copies
    with torch_threads(request.threads):
        delta = trained_delta(
            task,
            start,
            dataset,
            request.training,
            request.seed,
            where,
            request.engine,
            kind(rank, size),
        )
    if rank == 0:
        write_delta(folder, delta)
    dist.barrier()  # a process that leaves before is a failure to the others


if __name__ == "__main__":
    main()
