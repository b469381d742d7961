#!/usr/bin/env python3
"""Runs slither on the contracts; ends with 1 where it finds what tools/slither-explained.toml does not explain.

Slither 0.11.6 confuses the struct Membership with the library of that name, and fails. So it reads a copy of the
contracts in which the struct has another name; nothing else differs, and line numbers are the same.

    python tools/slither_check.py SLITHER [LOG]    the program, or a file with what it has said before
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE_NAME = re.compile(r"\bMembership\b")
# Only here the library is meant.
OF_THE_LIBRARY = {"TrainingMarket.sol", "Membership.sol", "Settling.sol"}


def _copy(folder: Path) -> None:
    shutil.copytree(ROOT / "contracts", folder / "contracts")
    for path in (folder / "contracts").rglob("*.sol"):
        text = path.read_text("utf8").replace("Membership as Member", "Member")
        path.write_text(text if path.name in OF_THE_LIBRARY else WHOLE_NAME.sub("Member", text), "utf8")
    shutil.copytree(ROOT / "tools", folder / "tools")
    # The compiler reads only what really lies in the folder.
    shutil.copytree(ROOT / "node_modules" / "@openzeppelin", folder / "node_modules" / "@openzeppelin")


def run(program: str) -> str:
    """What slither says of the contracts."""
    with tempfile.TemporaryDirectory(prefix="slither-") as name:
        folder = Path(name)
        _copy(folder)
        command = [program, "contracts/TrainingMarket.sol", "--config-file", "tools/slither.json"]
        environment = {**os.environ, "FAIRSHARE_NODE_MODULES": str(ROOT / "node_modules")}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if "result(s) found" not in said:
        raise SystemExit(f"slither did not finish:\n{said[-3000:]}")
    return said


def findings(said: str) -> set[tuple[str, str]]:
    """(detector, Contract.function) of each finding."""
    found = set()
    detector = ""
    for line in said.splitlines():
        if line.startswith("Detector: "):
            detector = line.removeprefix("Detector: ").strip()
        elif line.startswith("Reference: "):
            detector = ""
        elif detector and (match := re.match(r"(?:Reentrancy in )?(\w+\.\w+)\W", line)):
            found.add((detector, match.group(1)))
    return found


def main() -> int:
    source = Path(sys.argv[1])
    said = Path(sys.argv[2]).read_text("utf8") if len(sys.argv) > 2 else run(str(source.absolute()))
    found = findings(said)
    explained = tomllib.loads((ROOT / "tools" / "slither-explained.toml").read_text("utf8"))
    known = {(detector, place) for detector, entry in explained.items() for place in entry["in"]}
    for detector, place in sorted(found - known):
        print(f"not explained: {detector} in {place}")
    for detector, place in sorted(known - found):
        print(f"explained, but not found: {detector} in {place}")
    print(f"slither: {len(found)} findings, {len(found - known)} not explained")
    return 0 if found == known else 1


if __name__ == "__main__":
    sys.exit(main())
