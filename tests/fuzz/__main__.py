"""Fuzzes by atheris (libFuzzer), guided by the coverage of our own packages: each target in a process of its own.

python -m tests.fuzz [NAME ..] --runs N --seed S --failures FOLDER, one JSON line for each target on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial
from mmap import mmap
from pathlib import Path

import atheris

_OURS = ["marketplace", "aggregator", "trainer_node", "zk"]
_HANG_S = 60  # wall time, on a busy machine; the watch counts CPU time
_RSS_MB = 4096
_STATE_BYTES = 4096
_TAIL = 6000  # characters of what libFuzzer said

with atheris.instrument_imports(include=_OURS):
    from tests.fuzz import corpus, structure
    from tests.fuzz.target import Target
    from tests.fuzz.targets import TARGETS
    from tests.fuzz.watch import Watch


def main() -> int:
    """0 where no target found anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help="targets; default: all")
    parser.add_argument("--runs", type=int, required=True, help="of a target with share 1")
    parser.add_argument("--seed", type=int, required=True, help="not 0, which libFuzzer takes for none")
    parser.add_argument("--failures", type=Path, required=True, help="folder for inputs that fail")
    asked = parser.parse_args()
    asked.failures.mkdir(parents=True, exist_ok=True)
    outcomes = [_fuzz(TARGETS[name], asked) for name in asked.names or TARGETS]
    return int(any(outcome["failed"] for outcome in outcomes))


def _fuzz(target: Target, asked: argparse.Namespace) -> dict[str, object]:
    seeds = sum(1 for _ in corpus.of(target))
    runs = seeds + 1 + round(asked.runs * target.share)
    with (
        mmap(-1, _STATE_BYTES) as state,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as grown,
    ):
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _in_child(target, runs, asked, state, said.fileno(), grown)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        seen = json.loads(state[:].rstrip(b"\0") or b"{}")
        outcome = {
            "target": target.name,
            "seed": asked.seed,
            "failed": status != 0,
            **seen,
            "seconds": round(time.monotonic() - started, 2),
        }
        print(json.dumps(outcome), flush=True)
        if status != 0:
            said.seek(0)
            print(said.read().decode(errors="replace")[-_TAIL:], file=sys.stderr)
            for path in sorted(asked.failures.glob(f"{target.name}-*")):
                print(f"{path}: {path.read_bytes().hex()}", file=sys.stderr)
    return outcome


def _in_child(
    target: Target, runs: int, asked: argparse.Namespace, state: mmap, said: int, grown: str
) -> None:
    """Never returns: libFuzzer ends the process. `grown`: a folder for what it adds to the corpus."""
    os.dup2(said, 1)
    os.dup2(said, 2)
    options = {
        "runs": runs,
        "seed": asked.seed,
        "max_len": target.largest,
        "timeout": _HANG_S,
        "rss_limit_mb": _RSS_MB,
        "artifact_prefix": f"{asked.failures}/{target.name}-",
        "verbosity": 0,
    }
    arguments = ["fuzz", *(f"-{name}={value}" for name, value in options.items())]
    with Watch(target) as watch:

        def one(data: bytes) -> None:
            try:
                watch.run(data)
            finally:
                _tell(state, watch)

        watch.warm_up(data for _, data in corpus.of(target))
        how = {} if target.json_at is None else {"custom_mutator": partial(structure.mutate, target)}
        atheris.Setup([*arguments, grown, str(corpus.FOLDER / target.name)], one, **how)
        atheris.Fuzz()


def _tell(state: mmap, watch: Watch) -> None:
    seen = watch.seen
    told = json.dumps(
        {
            "inputs": seen.inputs,
            "slowest_s": round(seen.slowest_s, 3),
            "growth": seen.growth,
            "ratio": round(seen.ratio, 2),
        }
    )
    state[:] = told.encode().ljust(_STATE_BYTES, b"\0")


if __name__ == "__main__":
    sys.exit(main())
