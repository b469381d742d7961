"""Memory of a trainer and an aggregator by the size of the model, at 25,450, a million and ten million parameters.

    python benchmarks/memory.py [--hidden 32 1258 12579] [--keep DIR]

Four trainers with 64 rows each train a network with one hidden layer for two rounds, on the path that `auto` chooses;
each role is a process of its own. What grows with the model is told in models of 4 bytes a parameter. The largest takes
a quarter of an hour on two cores: each of its vectors is committed to in 20 s. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from onchain.memory import Peaks
from rich.console import Console
from rich.table import Table
from sidebyside import plain, prepare
from sidebyside.contest import environment, make_keys
from sidebyside.plain import Work
from sidebyside.usage import used_by

from marketplace.node.console import run as exit_status

HIDDEN = (32, 1258, 12579)
TIMEOUT_S = 3600.0
MIB = 2**20


def peaks_of(work: Work, where: Path) -> dict[str, float]:
    """Peak MiB by role, the largest of its processes; `prover`: of the aggregator's."""
    prepare.write(where, work)
    make_keys(work)
    command = [sys.executable, "-m", "sidebyside.market", "proved", "alone", "at-once", "own"]
    with Peaks(where) as peaks:
        used_by(command, environment(where), where / "market.log", TIMEOUT_S)
    found: dict[str, float] = {}
    for name, size in peaks.own.items():
        role = name.partition("-")[0]
        found[role] = max(found.get(role, 0.0), size)
    return found | {"prover": max(peaks.workers.values(), default=float("nan"))}


def main() -> int:
    """Exit 0 once the table is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--hidden", type=int, nargs="+", default=list(HIDDEN), help="widths; 795 parameters each"
    )
    parser.add_argument("--keep", type=Path, help="a directory for all files and logs")
    given = parser.parse_args()
    table = Table("parameters", "model MiB", "process", "peak MiB", "above the smallest model, in models")
    smallest: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="fairshare-memory-", ignore_cleanup_errors=True) as folder:
        for hidden in sorted(given.hidden):
            work = Work("mlp", hidden, 0, 4, 2, 1, 32, 0.05, 0.9, 0, rows=64)
            where = (given.keep or Path(folder)).absolute() / str(hidden)
            where.mkdir(parents=True)
            size = 4 * plain.parameters(work) / MIB
            for role, peak in sorted(peaks_of(work, where).items()):
                grown = (peak - smallest.setdefault(role, peak)) / size
                table.add_row(
                    f"{plain.parameters(work):,}", f"{size:.1f}", role, f"{peak:.0f}", f"{grown:.1f}"
                )
    out = Console(width=100)
    out.print(table)
    out.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main))
