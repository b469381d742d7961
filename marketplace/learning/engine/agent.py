"""Runs the training processes with torchrun's agent: `python -m marketplace.learning.engine.agent FOLDER N PARENT`.

It starts N of `engine.worker`, ends all when one fails, and says on its last line of stderr which did. It dies with the
node, process PARENT, and they with it. They find each other through files in FOLDER: no port is open to the network.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from signal import SIGTERM

from marketplace.learning.engine.exchange import LOGS, RENDEZVOUS
from zk.lifeline import die_with


def main() -> None:
    """Exit status 0 where all processes end well."""
    folder, processes, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    die_with(parent)
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # it would listen on every interface
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="training",
        rdzv_backend="c10d",
        rdzv_endpoint=str(folder / RENDEZVOUS),
        rdzv_configs={"store_type": "file"},
        local_addr="127.0.0.1",
        max_restarts=0,
        monitor_interval=0.1,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / LOGS)),  # else in a temporary folder that stays
    )
    worker = ("-P", "-m", "marketplace.learning.engine.worker", str(folder), str(os.getpid()))
    try:
        elastic_launch(config, sys.executable)(*worker)
    except ChildFailedError as error:
        statuses = {rank: failure.exitcode for rank, failure in error.failures.items()}
        killed = [rank for rank, status in statuses.items() if status < 0 and status != -SIGTERM]
        rank = (killed or sorted(statuses))[0]  # the agent ends the others by SIGTERM
        what = f"was killed by signal {-statuses[rank]}" if killed else f"ended with status {statuses[rank]}"
        print(f"process {rank} of {processes} {what}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
