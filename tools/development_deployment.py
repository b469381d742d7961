#!/usr/bin/env python3
"""Renews, or with --check compares, the deployment file of the development chain (docs/deploying.md).

It is made by the first of anvil's public accounts on a fresh chain, with the circuit of the project template over an
SRS whose secret is public: addresses, code and digest are the same on every machine, as long as the contracts are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import public_srs
from market_on_chain import Plan
from rehearsal import rehearse

from marketplace.chain.compile import project_root
from marketplace.chain.deployment import DEFAULT_UNBONDING_DELAY_S, Deployment
from marketplace.errors import FairshareError
from zk import cache as caches
from zk import files as circuit_files
from zk import keys
from zk.files import CircuitFiles
from zk.shape import CircuitShape, layout_of

# Ten trainers and the reference, a linear classifier of 64 features and 10 labels.
TEMPLATE = CircuitShape(11, 650)


def made_anew(circuits: Path) -> Deployment:
    """The development deployment of this checkout; about half a minute where nothing is cached."""
    return rehearse(Plan(DEFAULT_UNBONDING_DELAY_S, [_circuit(circuits)])).deployment


def differences(found: Any, written: Any, where: str = "") -> Iterator[str]:
    """Where two deployments' JSON values differ, in words; `written` is the file's."""
    if isinstance(found, dict) and isinstance(written, dict):
        for key in sorted(found.keys() | written.keys()):
            yield from differences(found.get(key), written.get(key), f"{where}.{key}" if where else key)
    elif found != written:
        yield f"{where}: {written} in the file, {found} made anew"


def _circuit(cache: Path) -> CircuitFiles:
    """In a cache of its own: zk takes a test SRS that is there already."""
    logrows = layout_of(TEMPLATE).logrows
    path = cache / "srs" / circuit_files.srs_name("test", logrows)
    with caches.locked(cache):
        if not path.exists():
            with caches.unfinished(cache) as folder:
                public_srs.write(folder / path.name, logrows)
                caches.publish(folder / path.name, path)
    return keys.build(TEMPLATE, cache)


def main() -> int:
    """Exit status 1 where the file differs."""
    root = project_root()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file differs")
    parser.add_argument("--out", type=Path, default=root / "deployments")
    parser.add_argument("--circuits", type=Path, default=root / "build" / "public-circuits")
    options = parser.parse_args()
    try:
        deployment = made_anew(options.circuits)
        path = options.out / f"{deployment.chain_id}-{deployment.version}.json"
        if not options.check:
            deployment.save(path)
            print(path)
            return 0
        written = Deployment.load(path).model_dump() if path.exists() else {}
        found = list(differences(deployment.model_dump(), written))
    except FairshareError as error:
        print(f"{error.reason.name}: {error.message} ({error.hint})", file=sys.stderr)
        return error.exit_status
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print(f"{path.name} is not what this checkout deploys: renew it, `make deployment`", file=sys.stderr)
        return 1
    print(f"{path.name} is what this checkout deploys")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
