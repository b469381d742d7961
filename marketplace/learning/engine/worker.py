"""One of several processes that train a model together: `python -m marketplace.learning.engine.worker FOLDER PARENT`.

torchrun's agent, process PARENT, starts it and says in its environment which one it is. It leaves the delta (process 0)
or what stopped it in FOLDER.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

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
    """Exit status 1 after a problem, which is then in FOLDER."""
    folder, rank, size = Path(sys.argv[1]), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    die_with(int(sys.argv[2]))
    try:
        _train(folder, rank, size)
    except FairshareError as error:
        write_problem(folder, rank, error)
        sys.exit(1)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        write_problem(folder, rank, FairshareError(Reason.INTERNAL, f"process {rank}: {said}"))
        raise


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
        store=dist.FileStore(str(folder / STORE), size),
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=_EXCHANGE_S),
    )
    try:
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
                kind(rank, size, where),
            )
        if rank == 0:
            write_delta(folder, delta)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
