"""The sketch path on a network of a million parameters, against plain Multi-Krum without sketch, chain or proof.

    python benchmarks/sketch.py [--rounds 3] [--keep DIR]

A CNN on Fashion-MNIST: eight trainers, two of which attack (f = 2), two aggregators, an owner, each a process of its
own, on a devnet with the real contracts and storage. Then the same project is played off chain on the updates
themselves: training is deterministic, so the two can be compared round by round.
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
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from marketplace.devnet.demo.cast import cast
from marketplace.devnet.demo.project import Plan
from marketplace.devnet.demo.run import run_demo
from marketplace.errors import FairshareError
from marketplace.node.options import user_folder

TRAINERS, FAULTS = 8, 2
ATTACKS = ("sign-flip@6", "random@7")
AIM_ACCURACY, AIM_RANKS = 0.01, 0.95
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
    slots = [
        trainer["slot"] for trainer in document["trainers"]
    ]  # they sit in the order in which they joined
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
    whole = float(spearmanr(paid, np.sum([other.shares for other in plain], axis=0)).statistic)
    honest = [trainer["index"] for trainer in document["trainers"] if trainer["behaviour"] == "honest"]
    among = float(
        spearmanr(paid[honest], np.sum([other.shares for other in plain], axis=0)[honest]).statistic
    )
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


def main() -> int:
    """Exit 0 where the aims are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a directory for everybody's files and logs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    parties = dataclasses.replace(cast(TRAINERS, ATTACKS), faults=FAULTS)
    plan = Plan(parties, given.rounds, "fashion-mnist", given.seed, "cnn", "projection")
    try:
        with tempfile.TemporaryDirectory(prefix="fairshare-sketch-", ignore_cleanup_errors=True) as folder:
            directory = given.keep or Path(folder) / "demo"
            with Peaks(directory.absolute()) as peaks:
                cache = user_folder("XDG_CACHE_HOME", ".cache")
                document = run_demo(plan, keep=directory, cache=cache, stop=threading.Event())
            plain = by_updates.play(directory, plan.cast.trainers, given.rounds, given.seed)
            return 0 if show(document, plain, lines_of(directory), peaks) else 1
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
