"""What the market costs beside a bare training loop and beside Flower: time, CPU and memory of the same training.

    python benchmarks/overhead.py [--work mlp cnn] [--only NAME ..] [--rounds 3] [--repeat 1] [--keep DIR]

Ten trainers on Fashion-MNIST, each with a tenth of it, one epoch a round, the same split, seeds and first model, one
thread of torch a process. Ours: a chain, the contracts, an aggregator and ten trainers, each a process with a storage
node of its own; updates sealed; all deployed, posted, joined, trained, settled and claimed within the time that is
told. Multi-Krum merges eight updates of ten, the others average all. One project of ours has no faults to tolerate and
averages all, too: who is merged does not follow a block's hash there. The chain mines each transaction at once but
where said otherwise. Flower needs an environment of its own: `make build/flower/venv`. Linux only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sidebyside import plain, prepare
from sidebyside.contest import compile_modules, environment, make_keys
from sidebyside.plain import Work
from sidebyside.usage import Usage, used_by

from marketplace.errors import FairshareError, Reason
from marketplace.node.console import note
from marketplace.node.console import run as exit_status

HERE = Path(__file__).parent
FLOWER = HERE.parent / "build" / "flower" / "venv" / "bin" / "python"
TIMEOUT_S = 900.0

ONE, TWO = "bare loop, one process", "bare loop, two processes"
SIMULATION, DEPLOYMENT = "Flower, simulation", "Flower, deployment"
ON_DEMAND, PROVED = "market, on demand, nodes forked", "market, proved, nodes forked"
SHARED = "market, on demand, nodes forked, one storage node"
AVERAGED = "market, on demand, nodes forked, all averaged"
_MARKET = [sys.executable, "-m", "sidebyside.market"]
CONTESTANTS = {
    "one": (ONE, [sys.executable, "-m", "sidebyside.bare", "1"]),
    "two": (TWO, [sys.executable, "-m", "sidebyside.bare", "2"]),
    "simulation": (SIMULATION, [str(FLOWER), "-m", "sidebyside.flower_simulation"]),
    "deployment": (DEPLOYMENT, [str(FLOWER), "-m", "sidebyside.flower_deployment"]),
    "on-demand": (ON_DEMAND, [*_MARKET, "on-demand", "forked", "at-once", "own"]),
    "on-demand-shared": (SHARED, [*_MARKET, "on-demand", "forked", "at-once", "shared"]),
    "on-demand-averaged": (AVERAGED, [*_MARKET, prepare.AVERAGED, "forked", "at-once", "own"]),
    "on-demand-alone": ("market, on demand", [*_MARKET, "on-demand", "alone", "at-once", "own"]),
    "on-demand-blocks": (
        "market, on demand, a block a second",
        [*_MARKET, "on-demand", "alone", "seconds", "own"],
    ),
    "proved": (PROVED, [*_MARKET, "proved", "forked", "at-once", "own"]),
    "proved-alone": ("market, proved", [*_MARKET, "proved", "alone", "at-once", "own"]),
}
WORKS = {
    "mlp": Work("mlp", 32, 0, 10, 3, 1, 32, 0.05, 0.9, 0),  # 25,450 parameters
    "cnn": Work("cnn", 64, 16, 10, 3, 1, 32, 0.05, 0.9, 0),  # 105,866
}
AIM_ROUND, AIM_ROUND_S = 1.15, 1.0  # a steady round: at most so often the two processes', and so much more
AIM_PROVED = 0.5  # of Flower's deployment, the whole run
AIM_MEMORY = 4e9  # bytes


@dataclass(frozen=True)
class Found:
    """A contestant's run. `rounds`: seconds of each, the first from the beginning of training."""

    usage: Usage
    rounds: list[float]
    accuracy: float
    model: bytes  # as float32

    @property
    def rounds_in_words(self) -> str:
        """For people."""
        return ", ".join(f"{seconds:.2f}" for seconds in self.rounds) + " s"

    @property
    def steady_s(self) -> float:
        """A round after the first, which has what is done once."""
        return statistics.median(self.rounds[1:] or self.rounds)


def run(command: list[str], log: Path, work: Work, held_out: plain.Part) -> Found:
    """Raises TOOL_MISSING without Flower, INTERNAL where the contestant fails. The work is beside `log`."""
    where = log.parent
    if not Path(command[0]).exists():
        raise FairshareError(Reason.TOOL_MISSING, "Flower is not here", "run `make build/flower/venv`")
    for left in (plain.MARKS, plain.FINAL):
        (where / left).unlink(missing_ok=True)
    usage = used_by(command, environment(where), log, TIMEOUT_S)
    marks = json.loads((where / plain.MARKS).read_text("utf8"))
    model = np.load(where / plain.FINAL)
    rounds = [float(seconds) for seconds in np.diff(marks)]
    return Found(usage, rounds, plain.accuracy(work, model, held_out), model.tobytes())


def show(work: Work, found: dict[str, list[Found]], out: Console) -> None:
    """The table of one work; of several runs the medians."""
    length = plain.parameters(work)
    table = Table(
        *("", "whole run s", "fastest to slowest", "first round s", "steady round s"),
        *("CPU s", "memory (PSS) MB", "processes", "accuracy", "the same model"),
        title=f"{work.kind}, {length:,} parameters, {work.rounds} rounds",
    )
    for name, runs in found.items():
        whole = [each.usage.wall_s for each in runs]
        table.add_row(
            name,
            f"{statistics.median(whole):.1f}",
            f"{min(whole):.1f} to {max(whole):.1f}",
            f"{statistics.median(each.rounds[0] for each in runs):.2f}",
            f"{statistics.median(each.steady_s for each in runs):.2f}",
            f"{statistics.median(each.usage.cpu_s for each in runs):.0f}",
            f"{statistics.median(each.usage.peak_pss for each in runs) / 1e6:.0f}",
            str(runs[0].usage.processes),
            f"{statistics.median(each.accuracy for each in runs):.4f}",
            "-" if len(runs) == 1 else "yes" if len({each.model for each in runs}) == 1 else "no",
        )
    out.print(table)


def aims(found: dict[str, list[Found]]) -> Iterator[tuple[str, bool]]:
    """What was aimed at, as far as its contestants ran, and whether it is met."""
    whole = {name: statistics.median(each.usage.wall_s for each in runs) for name, runs in found.items()}
    if ON_DEMAND in found and TWO in found:
        ours, theirs = (statistics.median(r.steady_s for r in found[name]) for name in (ON_DEMAND, TWO))
        most = AIM_ROUND * theirs + AIM_ROUND_S
        yield f"a steady round {ours:.2f} s, at most {most:.2f} s", ours <= most
    if ON_DEMAND in found and SIMULATION in found:
        ours, theirs = whole[ON_DEMAND], whole[SIMULATION]
        yield f"on demand {ours:.1f} s, Flower's simulation {theirs:.1f} s", ours < theirs
    if PROVED in found and DEPLOYMENT in found:
        ours, most = whole[PROVED], AIM_PROVED * whole[DEPLOYMENT]
        yield f"proved {ours:.1f} s, at most {most:.1f} s (half of Flower's deployment)", ours <= most
    for name in (ON_DEMAND, AVERAGED, PROVED):
        if name in found:
            memory = max(each.usage.peak_pss for each in found[name])
            yield (
                f"{name}: memory {memory / 1e6:.0f} MB, at most {AIM_MEMORY / 1e6:.0f}",
                memory <= AIM_MEMORY,
            )
            if len(found[name]) > 1:
                same = len({each.model for each in found[name]}) == 1
                yield f"{name}: the same model in {len(found[name])} runs", same


def main() -> int:
    """Exit 0 where the aims are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument(
        "--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="contestants"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each")
    parser.add_argument("--keep", type=Path, help="a directory for all files and logs")
    given = parser.parse_args()
    out, met = Console(width=170), True
    compile_modules()
    with tempfile.TemporaryDirectory(prefix="fairshare-overhead-", ignore_cleanup_errors=True) as folder:
        for kind in given.work:
            work = dataclasses.replace(WORKS[kind], rounds=given.rounds)
            where = (given.keep or Path(folder)).absolute() / kind
            where.mkdir(parents=True)
            prepare.write(where, work)
            make_keys(work)
            held_out = plain.read_part(where, prepare.EVALUATION)
            found: dict[str, list[Found]] = {}
            for _ in range(given.repeat):
                for short in given.only:
                    name, command = CONTESTANTS[short]
                    one = run(command, where / f"{short}.log", work, held_out)
                    found.setdefault(name, []).append(one)
                    note(f"{kind}, {name}: {one.usage.wall_s:.1f} s, rounds {one.rounds_in_words}")
            show(work, found, out)
            for text, holds in aims(found):
                out.print(f"{'met' if holds else 'NOT met'}: {text}")
                met &= holds
    out.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(exit_status(main))
