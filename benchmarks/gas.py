"""Gas of every call of the contracts, with real proofs, and how far above its floor each is.

    python benchmarks/gas.py            print
    python benchmarks/gas.py --check    exit 1 where a call grew by more than 2 % over gas.json, or is not in it
    python benchmarks/gas.py --write    renew gas.json and the tables of docs/gas.md

Plays projects in the native coin on chains of its own. Updates are made up: no call's gas depends on training. The
floor of a call is its 21,000, its calldata, the storage words that it writes, and its precompiled contracts (pairings,
curve additions, signatures), from the chain's own trace.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from gasmeter import figures, scenes
from gasmeter.figures import Figures
from gasmeter.stage import made_up, open_stage

from marketplace.chain.compile import project_root
from marketplace.errors import FairshareError
from zk.shape import CircuitShape

LENGTH = 650
SMALL, LARGE = 8, 16  # slots
SNAPSHOT = Path(__file__).with_name("gas.json")
DOCUMENT = Path(__file__).parents[1] / "docs" / "gas.md"


def measure(circuits: Path) -> Figures:
    """Costs of all calls, by shape and name."""
    found: Figures = {}
    with open_stage(CircuitShape(SMALL, LENGTH), circuits) as stage:
        honest = made_up(stage.files)
        scenes.proved(stage, honest, made_up(stage.files, flipped=(0,)))
        scenes.on_demand(stage, honest)
        scenes.drawn(stage, honest)
        found[f"K = {SMALL}"] = stage.meter.costs
        found["deploy"] = figures.deployment(stage)
    with open_stage(CircuitShape(LARGE, LENGTH), circuits) as stage:
        honest = made_up(stage.files)
        scenes.proved(stage, honest, None)
        scenes.on_demand(stage, honest)
        found[f"K = {LARGE}"] = stage.meter.costs
    with open_stage(CircuitShape(SMALL + 1, LENGTH), circuits) as stage:
        scenes.by_reference(stage, made_up(stage.files))
        found[f"K = {SMALL}, references"] = stage.meter.costs
    return found


def main() -> int:
    """Measures; prints, checks or writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, help="where circuits are kept; below build/ without it")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare with gas.json")
    action.add_argument("--write", action="store_true", help="renew gas.json and docs/gas.md")
    arguments = parser.parse_args()
    try:
        found = measure(arguments.cache or project_root() / "build" / "circuits")
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    tables = figures.tables(found)
    if arguments.write:
        SNAPSHOT.write_text(json.dumps(figures.to_json(found), indent=2) + "\n", "utf8")
        DOCUMENT.write_text(figures.replaced(DOCUMENT.read_text("utf8"), tables), "utf8")
    if not arguments.check:
        print(tables)
        return 0
    known = figures.from_json(json.loads(SNAPSHOT.read_text("utf8")))
    changes = figures.changes(known, found)
    print("\n".join(str(change) for change in changes) or "gas: as in benchmarks/gas.json")
    return 1 if any(change.fails for change in changes) else 0


if __name__ == "__main__":
    sys.exit(main())
