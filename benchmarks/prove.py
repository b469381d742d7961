"""What a proof costs, by shape: `python benchmarks/prove.py 8x1000 16x5000 --repeat 3 --cache DIRECTORY`.

CPU seconds, wall seconds and peak memory of each step in a process of its own, without its start (some 40 MiB of it are
Python and ezkl), the gas of a transaction that only verifies, and sizes. Medians of all repeats; the machine's load is
said, as wall seconds depend on it. With `--ray ADDRESS` (fairshare[ray]) as many proofs are made on a cluster at once.
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

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from zk import felts, keys, process, worker
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.shape import CircuitShape, layout_of

_SEED = 1
_COMMITS = 10
_STEPS = ("setup", "witness", "prove", "verify", "commit")


@dataclass(frozen=True)
class Used:
    """What a step used, in seconds and bytes."""

    cpu_s: float
    wall_s: float
    memory: int


def shape_of(text: str) -> CircuitShape:
    """`KxD`, for example 10x650."""
    slots, length = text.split("x")
    return CircuitShape(int(slots), int(length))


def updates_of(shape: CircuitShape) -> list[NDArray[np.int16]]:
    """Made up, over the whole range."""
    rng = np.random.default_rng(_SEED)
    return [rng.integers(-(2**15), 2**15, shape.length, dtype=np.int16) for _ in range(shape.slots)]


@contextmanager
def paths(files: CircuitFiles) -> Iterator[dict[str, str]]:
    """Where a step finds what it needs, with the updates written down."""
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        home = Path(scratch)
        rows = [[felts.encode(int(entry)) for entry in update] for update in updates_of(files.shape)]
        (home / "inputs").write_text(json.dumps({"input_data": rows}))
        made = {name: str(home / name) for name in ("inputs", "witness", "proof", "new-vk", "new-pk")}
        known = {name: str(getattr(files, name)) for name in ("settings", "compiled", "vk", "srs")}
        yield {**made, **known, "pk": str(files.proving_key), "directory": str(files.directory)}


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
            update = updates_of(files.shape)[0]
            committer = Committer(files)
            committer.commit(update)
            began, cpu, repeats = time.monotonic(), time.process_time(), _COMMITS
            for _ in range(repeats):
                committer.commit(update)
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


def measure(files: CircuitFiles, repeat: int, table: Table) -> None:
    """Adds the rows of one shape to `table`."""
    from layouts import on_chain  # brings web3: not for the steps' processes

    shape, layout = files.shape, layout_of(files.shape)
    keys.proving_key(files)
    name = f"{shape.slots} x {shape.length}"
    with paths(files) as at:
        for step in _STEPS:
            made = [run(step, at) for _ in range(repeat)]
            cpu = [used.cpu_s for used in made]
            table.add_row(
                name,
                step,
                f"{statistics.median(cpu):.2f}",
                f"{min(cpu):.2f} to {max(cpu):.2f}",
                f"{statistics.median(used.wall_s for used in made):.2f}",
                f"{max(used.memory for used in made) / 2**20:.0f}",
            )
        document = json.loads(Path(at["proof"]).read_text())
    code, gas = on_chain(files.verifier.read_text(), document)
    calldata = len(document["proof"]) + 32 * shape.triangle
    table.add_row(
        name,
        f"2^{layout.logrows} rows, {layout.columns} columns; proof and Gram matrix {calldata:,} B, {gas:,} gas; "
        f"pk {files.proving_key.stat().st_size / 2**20:.0f} MiB, vk {files.vk.stat().st_size / 2**10:.0f} KiB, "
        f"SRS {files.srs.stat().st_size / 2**20:.0f} MiB, verifier {code:,} B",
        end_section=True,
    )


def on_cluster(files: CircuitFiles, address: str, count: int, console: Console) -> None:
    """Makes `count` proofs at once on a cluster; each is verified here."""
    from aggregator.proof_queue import ProofQueue
    from aggregator.ray_prover import RayProver

    with RayProver(address) as prover:
        queue = ProofQueue(prover)
        began = time.monotonic()
        for number in range(count):
            queue.begin(number, lambda: prover.prove(files, updates_of(files.shape)).proof)
        sizes = [len(queue.finish(number) or b"") for number in range(count)]
        queue.close()
    assert sizes == [files.proof_length] * count
    console.print(
        f"{files.shape.slots} x {files.shape.length}: {count} proofs in {time.monotonic() - began:.1f} s"
    )


def main() -> None:
    """Measures the shapes on the command line and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="*", default=["8x1000"], metavar="KxD")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="where circuits are kept; a fresh directory without it")
    parser.add_argument("--ray", metavar="ADDRESS", help='of a cluster, or "local"')
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step is not None:
        print(json.dumps(asdict(take(given.step, json.load(sys.stdin)))))
        return
    console = Console(width=130)
    table = Table("K x d", "step", "CPU s", "", "wall s", "MiB")
    with tempfile.TemporaryDirectory(prefix="fairshare-bench-") as scratch:
        for text in given.shapes:
            files = keys.build(shape_of(text), given.cache or Path(scratch))
            if given.ray is not None:
                on_cluster(files, given.ray, given.repeat, console)
                continue
            measure(files, given.repeat, table)
    if given.ray is None:
        console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
