"""What every contestant runs in."""

from __future__ import annotations

import compileall
import os
from pathlib import Path

from marketplace.node.options import user_folder
from marketplace.owner import circuits
from sidebyside import prepare
from sidebyside.work import FOLDER, Work
from zk import keys

_BENCHMARKS = Path(__file__).parents[1]


def environment(where: Path) -> dict[str, str]:
    """Variables: the work in `where`, one thread for each process, nothing told to anybody."""
    return {
        **os.environ,
        FOLDER: str(where),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(_BENCHMARKS), str(_BENCHMARKS.parent)]),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def compile_modules() -> None:
    """To byte code, as an installer does with the packages of others."""
    root = _BENCHMARKS.parent
    for package in ("marketplace", "trainer_node", "aggregator", "zk", "benchmarks"):
        compileall.compile_dir(root / package, quiet=1)


def make_keys(work: Work) -> None:
    """A circuit's keys, which are made once for all projects of its size: not within anybody's time."""
    cache = user_folder("XDG_CACHE_HOME", ".cache")
    files = circuits.build(prepare.project_file(work, "proved").shape, cache, None, lambda phase: None)
    keys.proving_key(files)
    circuits.compiled_verifier(files)
