"""Gas of every call of the contracts, with real proofs, and how far above its floor each is.

    python benchmarks/gas.py            print
    python benchmarks/gas.py --check    exit 1 where a call grew by more than 2 % over gas.json, or is not in it
    python benchmarks/gas.py --write    renew gas.json and the tables of docs/gas.md

Plays projects in the native coin on chains of its own, on the exact path and on the sketch path. Updates are made up:
no call's gas depends on training. The floor of a call is its 21,000, its calldata, the storage words that it writes,
and its precompiled contracts (pairings, curve additions, signatures), from the chain's own trace.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from gasmeter import figures, scenes, sizes, sketch_scenes
from gasmeter.figures import Figures
from gasmeter.stage import made_up, open_stage
from gasmeter.vectors import WIDTH, made_up_vectors

from marketplace.chain.compile import project_root
from marketplace.errors import FairshareError
from zk.shape import CircuitShape

LENGTH = 650
SMALL, LARGE = 8, 16  # slots
SNAPSHOT = Path(__file__).with_name("gas.json")
DOCUMENT = Path(__file__).parents[1] / "docs" / "gas.md"


def measure_exact(circuits: Path) -> Figures:
    """Costs of all calls on the exact path, by shape and name."""
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


def measure_sketched(circuits: Path) -> Figures:
    """The same on the sketch path, where the size of the model is part of the shape."""
    found: Figures = {}
    played = [(SMALL, parameters) for parameters in sizes.PARAMETERS] + [(LARGE, sizes.PARAMETERS[0])]
    for slots, parameters in played:
        with open_stage(CircuitShape(slots, WIDTH), circuits) as stage:
            vectors = made_up_vectors(stage.files, sizes.chunks(parameters))
            sketch_scenes.proved(stage, vectors)
            sketch_scenes.on_demand(stage, vectors)
            found[sizes.shape_of(slots, parameters)] = stage.meter.costs
    with open_stage(CircuitShape(SMALL + 1, WIDTH), circuits) as stage:
        sketch_scenes.by_reference(stage, made_up_vectors(stage.files, sizes.chunks(sizes.PARAMETERS[0])))
        found[f"{sizes.shape_of(SMALL, sizes.PARAMETERS[0])}, references"] = stage.meter.costs
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
        circuits = arguments.cache or project_root() / "build" / "circuits"
        found = measure_exact(circuits) | measure_sketched(circuits)
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    side_by_side = [sizes.shape_of(SMALL, parameters) for parameters in sizes.PARAMETERS]
    tables = f"{figures.tables(found, side_by_side)}\n\n{sizes.table(found, SMALL)}"
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
