"""What a proof costs, by shape: `python benchmarks/prove.py --repeat 3 --cache DIRECTORY`, or some shapes by name.

`KxD` is a circuit over int16, `KxD-proven` one that proves that they are, `KxD-sketch` one over sketches, entries up to
`SKETCH_LIMIT`. CPU seconds and peak memory of each step, in a process of its own at low priority and without its start
(some 60 MiB of it are Python and ezkl); the gas of a transaction that only verifies, on anvil; sizes. Medians of all
repeats, and the highest memory; the machine's load is said, as wall seconds depend on it. With `--ray ADDRESS`
(fairshare[ray]) as many proofs are made on a cluster at once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from zk import felts, keys, process, worker
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.prover import SKETCH_LIMIT, UPDATE_LIMIT
from zk.shape import CircuitShape, layout_of

_SEED = 1
_COMMITS = 10
_STEPS = ("setup", "witness", "prove", "verify", "commit")
_SHAPES = ("8x650", "8x650-proven", "8x1000", "8x1024-sketch", "16x1000", "16x1024-sketch", "16x5000")
_AIMS = {  # CPU seconds, and bytes where they matter
    ("8x1000", "prove"): (8.0, 350_000_000),
    ("16x5000", "prove"): (100.0, None),
    ("8x1000", "commit"): (0.1, None),
}

Vectors = list[NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class Case:
    """A shape, and what its committed vectors are: entries in [-limit, limit)."""

    name: str
    shape: CircuitShape
    limit: int

    def vectors(self) -> Vectors:
        """Made up, over the whole range."""
        rng = np.random.default_rng(_SEED)
        size = (self.shape.slots, self.shape.length)
        return list(rng.integers(-self.limit, self.limit, size, dtype=np.int64))


def case_of(text: str) -> Case:
    """`KxD`, `KxD-proven` or `KxD-sketch`, for example 10x650."""
    shape, _, kind = text.partition("-")
    slots, length = (int(part) for part in shape.split("x"))
    match kind:
        case "":
            return Case(text, CircuitShape(slots, length), UPDATE_LIMIT)
        case "proven":
            return Case(text, CircuitShape(slots, length, "proven"), UPDATE_LIMIT)
        case "sketch":
            return Case(text, CircuitShape(slots, length), SKETCH_LIMIT)
    raise SystemExit(f"{text}: KxD, KxD-proven or KxD-sketch")


@dataclass(frozen=True)
class Used:
    """What a step used, in seconds and bytes."""

    cpu_s: float
    wall_s: float
    memory: int


@dataclass(frozen=True)
class Measured:
    """A shape's steps, each as often as it was repeated, and its sizes in bytes; gas of a transaction that verifies."""

    case: Case
    steps: dict[str, list[Used]]
    proof: int
    pk: int
    vk: int
    srs: int
    verifier: int
    gas: int | None

    def cpu_s(self, step: str) -> float:
        """The median."""
        return statistics.median(used.cpu_s for used in self.steps[step])

    def memory(self, step: str) -> int:
        """The highest."""
        return max(used.memory for used in self.steps[step])


@contextmanager
def paths(case: Case, files: CircuitFiles) -> Iterator[dict[str, str]]:
    """Where a step finds what it needs, with the vectors written down."""
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        home = Path(scratch)
        rows = [[felts.encode(int(entry)) for entry in vector] for vector in case.vectors()]
        (home / "inputs").write_text(json.dumps({"input_data": rows}))
        made = {name: str(home / name) for name in ("inputs", "witness", "proof", "new-vk", "new-pk")}
        known = {name: str(getattr(files, name)) for name in ("settings", "compiled", "vk", "srs")}
        own = {"case": case.name, "pk": str(files.proving_key), "directory": str(files.directory)}
        yield {**made, **known, **own}


def take(step: str, at: dict[str, str]) -> Used:
    """Runs one step in this process, which does nothing else."""
    from zk.backend import ezkl

    began, cpu = time.monotonic(), time.process_time()
    repeats = 1
    match step:
        case "witness":
            ezkl.gen_witness(
                at["inputs"], at["compiled"], at["witness"], vk_path=at["vk"], srs_path=at["srs"]
            )
        case "prove":
            ezkl.prove(at["witness"], at["compiled"], at["pk"], at["proof"], at["srs"])
        case "verify":
            assert ezkl.verify(at["proof"], at["settings"], at["vk"], at["srs"])
        case "commit":
            files = keys.circuit_files.load(Path(at["directory"]))
            assert files is not None
            vector = case_of(at["case"]).vectors()[0]
            committer = Committer(files)
            committer.commit(vector)
            began, cpu, repeats = time.monotonic(), time.process_time(), _COMMITS
            for _ in range(repeats):
                committer.commit(vector)
    used = (time.process_time() - cpu) / repeats
    return Used(used, (time.monotonic() - began) / repeats, worker._peak_rss_bytes())


def run(step: str, at: dict[str, str]) -> Used:
    """Runs one step in a process of its own."""
    if step == "setup":
        made = process.run(
            "write_keys",
            {"compiled": at["compiled"], "srs": at["srs"], "vk": at["new-vk"], "pk": at["new-pk"]},
        )
        return Used(made.cpu_s, made.wall_s, made.peak_rss_bytes)
    command = [sys.executable, __file__, "--step", step]
    done = subprocess.run(command, input=json.dumps(at), capture_output=True, text=True, check=True)
    return Used(**json.loads(done.stdout.splitlines()[-1]))


def measure(case: Case, files: CircuitFiles, repeat: int) -> Measured:
    """All steps of one shape, and a verification on chain."""
    from layouts import on_chain  # brings web3: not for the steps' processes

    keys.proving_key(files)
    with paths(case, files) as at:
        steps = {step: [run(step, at) for _ in range(repeat)] for step in _STEPS}
        document = json.loads(Path(at["proof"]).read_text())
    code, gas = on_chain(files.verifier.read_text(), document)
    sizes = (path.stat().st_size for path in (files.proving_key, files.vk, files.srs))
    return Measured(case, steps, len(document["proof"]), *sizes, code, gas)


def show(found: list[Measured], console: Console) -> None:
    """What each step used, what is as large as it is, and whether the aims are met."""
    used = Table("K x d", "rows, columns", *(f"{step}: CPU s, MiB" for step in _STEPS), box=MARKDOWN)
    sizes = Table(
        "K x d", "numbers", "proof B", "pk MiB", "vk KiB", "SRS MiB", "verifier B", "gas", box=MARKDOWN
    )
    for one in found:
        layout = layout_of(one.case.shape)
        cells = [f"{one.cpu_s(step):.2f}, {one.memory(step) / 2**20:.0f}" for step in _STEPS]
        used.add_row(one.case.name, f"2^{layout.logrows}, {layout.columns}", *cells)
        sizes.add_row(
            one.case.name,
            f"{one.case.shape.triangle}",
            f"{one.proof:,}",
            f"{one.pk / 2**20:.0f}",
            f"{one.vk / 2**10:.0f}",
            f"{one.srs / 2**20:.0f}",
            f"{one.verifier:,}",
            "" if one.gas is None else f"{one.gas:,}",
        )
    console.print(used, sizes)
    for one in found:
        for step in _STEPS:
            cpu = [measured.cpu_s for measured in one.steps[step]]
            wall = statistics.median(measured.wall_s for measured in one.steps[step])
            line = f"{one.case.name}, {step}: {min(cpu):.3f} to {max(cpu):.3f} CPU s, {wall:.3f} wall s"
            if (one.case.name, step) in _AIMS:
                most_s, most = _AIMS[one.case.name, step]
                met = one.cpu_s(step) <= most_s and (most is None or one.memory(step) <= most)
                line += f"; aim {most_s} CPU s" + ("" if most is None else f" and {most / 1e9} GB")
                line += f": {'met' if met else 'missed'}"
            console.print(line)


def on_cluster(case: Case, files: CircuitFiles, address: str, count: int, console: Console) -> None:
    """Makes `count` proofs at once on a cluster; each is verified here."""
    from aggregator.proof_queue import ProofQueue
    from aggregator.ray_prover import RayProver

    vectors = case.vectors()
    with RayProver(address) as prover:
        queue = ProofQueue(prover)
        began = time.monotonic()
        for number in range(count):
            queue.begin(number, lambda: prover.prove(files, vectors).proof)
        sizes = [len(queue.finish(number) or b"") for number in range(count)]
        queue.close()
    assert sizes == [files.proof_length] * count
    console.print(f"{case.name}: {count} proofs in {time.monotonic() - began:.1f} s")


def main() -> None:
    """Measures the shapes on the command line and prints tables, in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="*", default=_SHAPES, metavar="KxD[-proven|-sketch]")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="where circuits are kept; a fresh directory without it")
    parser.add_argument("--ray", metavar="ADDRESS", help='of a cluster, or "local"')
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step is not None:
        print(json.dumps(asdict(take(given.step, json.load(sys.stdin)))))
        return
    os.nice(worker.NICENESS)
    console = Console(width=150)
    found = []
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        for case in map(case_of, given.shapes):
            files = keys.build(case.shape, given.cache or Path(scratch))
            if given.ray is not None:
                on_cluster(case, files, given.ray, given.repeat, console)
                continue
            found.append(measure(case, files, given.repeat))
            load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            print(f"{case.name}: measured, {load}", file=sys.stderr)
    if found:
        show(found, console)


if __name__ == "__main__":
    main()
