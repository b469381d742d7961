"""The sketch path on a network of a million parameters, against plain Multi-Krum without sketch, chain or proof.

    python benchmarks/sketch.py [--rounds 3] [--width 4096] [--skew ALPHA] [--keep DIR]

A CNN on Fashion-MNIST: eight trainers, two of which attack (f = 2), two aggregators, an owner, each a process of its
own, on a devnet with the real contracts and storage. Then the same project is played off chain on the updates
themselves: training is deterministic, so the two can be compared round by round. A round's seed is drawn, and so is
what sketches make of the pay: the last table has the rank correlation over many seeds, by the width of a sketch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from offchain import by_updates
from offchain.by_updates import PlainRound
from onchain.memory import Peaks
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from marketplace.devnet.demo.cast import cast
from marketplace.devnet.demo.project import Plan
from marketplace.devnet.demo.run import run_demo
from marketplace.node.console import run as exit_status
from marketplace.node.options import user_folder
from marketplace.protocol.fixed_point import padded
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import judge
from marketplace.protocol.sketch import Sketcher
from marketplace.spec import ProjectFile

TRAINERS, FAULTS = 8, 2
ATTACKS = ("sign-flip@6", "random@7")
AIM_ACCURACY, AIM_RANKS = 0.01, 0.95
WIDTHS, DRAWS = (1024, 2048, 4096, 8192), 20
# Of a round: what ends a step, and in whose log. The latest of all parties counts.
STEPS = (
    ("trained and committed", "submitted", "trainer"),
    ("collected and checked", "proving", "aggregator"),
    ("proved", "proved", "aggregator"),
    ("merged and posted", "result posted", "aggregator"),
)


def lines_of(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Every party's log."""
    return {
        path.parent.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in directory.glob("*/log.jsonl")
    }


def steps(logs: dict[str, list[dict[str, Any]]], rounds: int) -> list[list[float]]:
    """Seconds of each of `STEPS`, by round; from the result before, or where there is none from the first training."""
    made = []
    before = min(_times(logs, "training", "trainer", 1))
    for number in range(1, rounds + 1):
        row = []
        for _, event, role in STEPS:
            at = max(_times(logs, event, role, number))
            row.append(at - before)
            before = at
        made.append(row)
    return made


def _times(logs: dict[str, list[dict[str, Any]]], event: str, role: str, round_: int) -> list[float]:
    return [
        datetime.fromisoformat(line["timestamp"]).timestamp()
        for name, lines in logs.items()
        if name.startswith(role)
        for line in lines
        if line.get("event") == event and line.get("round") == round_
    ]


def show(
    document: dict[str, Any], plain: Sequence[PlainRound], logs: dict[str, list[dict[str, Any]]], peaks: Peaks
) -> bool:
    """The tables; whether accuracy, outliers and pay are as they should be."""
    console = Console(width=120)
    rounds = document["rounds"]
    # They sit in the order in which they joined.
    slots = [trainer["slot"] for trainer in document["trainers"]]
    table = Table("round", "accuracy", "plain", "left out", "plain", "Spearman of pay", "gas of the result")
    same, ranks, far = True, [], 0.0
    for told, other in zip(rounds, plain, strict=True):
        out = [index for index, slot in enumerate(slots) if slot not in told["merged"]]
        shares = [told["shares"][slot] for slot in slots]
        out_plain = sorted(set(range(TRAINERS)) - set(other.judgement.merged))
        same &= out == out_plain
        rank = float(spearmanr(shares, other.shares).statistic)
        ranks.append(rank)
        accuracy = float("nan") if told["accuracy"] is None else told["accuracy"]
        far = max(far, abs(accuracy - other.accuracy)) if accuracy == accuracy else float("inf")
        table.add_row(
            str(told["round"]),
            f"{accuracy:.4f}",
            f"{other.accuracy:.4f}",
            str(out),
            str(out_plain),
            f"{rank:.3f}",
            f"{told['gas']:,}",
        )
    console.print(table)
    paid = np.array([float(trainer["paid"]) for trainer in document["trainers"]])
    exact = np.sum([other.shares for other in plain], axis=0)
    whole = float(spearmanr(paid, exact).statistic)
    honest = [trainer["index"] for trainer in document["trainers"] if trainer["behaviour"] == "honest"]
    among = float(spearmanr(paid[honest], exact[honest]).statistic)
    memory = Table("process", "peak MiB", "its prover's")
    for name in sorted(peaks.own):
        memory.add_row(name, f"{peaks.own[name]:.0f}", f"{peaks.workers.get(name, 0):.0f}")
    console.print(memory)
    times = Table("round", *(f"{name} s" for name, _, _ in STEPS))
    for number, row in enumerate(steps(logs, len(rounds)), 1):
        times.add_row(str(number), *(f"{seconds:.1f}" for seconds in row))
    console.print(times)
    audit = document["audit"]
    console.print(
        f"outliers {'the same' if same else 'NOT the same'}; accuracy at most {far:.4f} apart (aim {AIM_ACCURACY}); "
        f"Spearman of pay in all {whole:.3f} (aim {AIM_RANKS}), of the honest alone {among:.3f}, by round "
        f"{min(ranks):.3f} to {max(ranks):.3f}; audit {'valid' if audit['ok'] else 'NOT valid'}; "
        f"set-up {document['seconds']['setup']:.0f} s, run {document['seconds']['run']:.0f} s"
    )
    return same and far <= AIM_ACCURACY and whole >= AIM_RANKS and bool(audit["ok"])


class Drawn(Sketcher):
    """Sketches whose shifts and signs are numpy's: the hashes of a real seed would take most of the time."""

    def __init__(self, seed: int, width: int) -> None:
        super().__init__(seed.to_bytes(32, "big"), width)
        self._random = seed

    def _draw(self, block: int) -> tuple[int, bytes]:
        generator = np.random.default_rng((self._random, block))
        return int(generator.integers(self.width)), generator.bytes(self.width // 8)


def show_widths(plain: Sequence[PlainRound], project: ProjectFile) -> None:
    """By width: how the pay of all rounds ranks against that by exact projections, over `DRAWS` seeds a round."""
    exact = np.sum([round_.shares for round_ in plain], axis=0)
    table = Table(
        "width", "Spearman, mean", "median", "worst of ten", f"at least {AIM_RANKS}", "a share off by, %"
    )
    for width in track(WIDTHS, "ranks by width", transient=True):
        ranks, off = [], []
        for draw in range(DRAWS):
            paid = np.zeros(TRAINERS)
            for number, round_ in enumerate(plain):
                sketcher = Drawn(draw * len(plain) + number, width)
                sketches = [
                    sketcher.sketch(padded(update, -(-update.size // width) * width))
                    for update in round_.updates
                ]
                order = range(1, TRAINERS + 1)
                judgement = judge(by_updates.rules_of(project), gram(sketches), range(TRAINERS), order)
                shares = by_updates.shares_of(judgement)
                paid += shares
                both = (round_.shares > 0) & (shares > 0)
                off += list(np.abs(shares[both] / round_.shares[both] - 1))
            ranks.append(float(spearmanr(paid, exact).statistic))
        sure = np.mean(np.array(ranks) >= AIM_RANKS)
        table.add_row(
            f"{width:,}",
            f"{np.mean(ranks):.3f}",
            f"{np.median(ranks):.3f}",
            f"{np.quantile(ranks, 0.1):.3f}",
            f"{100 * sure:.0f} %",
            f"{100 * np.median(off):.1f}",
        )
    Console(width=120).print(table)


def main() -> int:
    """Exit 0 where the aims are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, help="numbers of a sketch (default: the template's)")
    parser.add_argument(
        "--skew", type=float, help="Dirichlet's alpha for the trainers' data (default: all alike)"
    )
    parser.add_argument("--keep", type=Path, help="a directory for everybody's files and logs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    parties = dataclasses.replace(cast(TRAINERS, ATTACKS), faults=FAULTS)
    plan = Plan(
        parties, given.rounds, "fashion-mnist", given.seed, "cnn", "projection", given.width, given.skew
    )
    with tempfile.TemporaryDirectory(prefix="fairshare-sketch-", ignore_cleanup_errors=True) as folder:
        directory = given.keep or Path(folder) / "demo"
        with Peaks(directory.absolute()) as peaks:
            cache = user_folder("XDG_CACHE_HOME", ".cache")
            document = run_demo(plan, keep=directory, cache=cache, stop=threading.Event())
        plain = by_updates.play(directory, plan.cast.trainers, given.rounds, given.seed)
        as_aimed = show(document, plain, lines_of(directory), peaks)
        show_widths(plain, ProjectFile.from_toml((directory / "project.toml").read_text("utf8")))
        return 0 if as_aimed else 1


if __name__ == "__main__":
    sys.exit(exit_status(main))
