"""The same circuit, version, ezkl and SRS give the same bytes: whatever folder, locale or number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.chain.compile import project_root

PINNED = json.loads((Path(__file__).parent / "pinned_circuits.json").read_text())
SURROUNDINGS = {
    "one thread": {"RAYON_NUM_THREADS": "1", "LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "0"},
    "three threads": {
        "RAYON_NUM_THREADS": "3",
        "LC_ALL": "C.UTF-8",
        "LANG": "de_DE.UTF-8",
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
        "COLUMNS": "40",
        "EZKL_REPO_PATH": "/nowhere",
    },
}
ADVICE = (
    "this machine, or this version, makes other circuits than those on chain: nobody could join or audit. Where they "
    "were changed on purpose, raise zk.shape.CIRCUIT_VERSION and run tools/pinned_circuits.py"
)

MAKE = """
import dataclasses, json, sys
from pathlib import Path
import pinned_circuits
from zk.shape import CircuitShape
slots, length = map(int, sys.argv[2].split("x"))
print(json.dumps(dataclasses.asdict(pinned_circuits.made(CircuitShape(slots, length), Path(sys.argv[1])))))
"""


def made(shape: str, folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """A circuit's fingerprint, made by a process of its own in other surroundings."""
    folder.mkdir(parents=True)
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(project_root() / "tools")}
    inherited = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(folder), shape],
        env=inherited | own | surroundings,
        cwd=project_root(),
        capture_output=True,
        text=True,
        check=True,
    )
    fingerprint: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return fingerprint


@pytest.mark.parametrize(
    "surroundings", ["three threads", pytest.param("one thread", marks=pytest.mark.deep)]
)
def test_a_circuit_is_the_pinned_one_in_any_surroundings(tmp_path: Path, surroundings: str) -> None:
    folder = tmp_path / ("a folder with another name, ä" if surroundings == "three threads" else "b")
    assert made("3x4", folder, SURROUNDINGS[surroundings]) == PINNED["3x4"], ADVICE


@pytest.mark.deep
@pytest.mark.parametrize("shape", [shape for shape in PINNED if shape != "3x4"])
def test_circuits_are_the_pinned_ones(tmp_path: Path, shape: str) -> None:
    for surroundings in SURROUNDINGS:
        assert made(shape, tmp_path / surroundings, SURROUNDINGS[surroundings]) == PINNED[shape], ADVICE
