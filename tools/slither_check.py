#!/usr/bin/env python3
"""Runs slither on the contracts; ends with 1 where it finds what tools/slither-explained.toml does not explain.

python tools/slither_check.py SLITHER [LOG]    the program, or a file with what it has said before
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(program: str) -> str:
    """What slither says of the contracts."""
    command = [program, "contracts/TrainingMarket.sol", "--config-file", "tools/slither.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
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
