#!/usr/bin/env python3
"""The hashes of a few small circuits on the SRS whose secret everybody knows: the same bytes on every machine.

tests/unit/zk/pinned_circuits.json holds them. After a change of the circuits (zk.shape.CIRCUIT_VERSION), of ezkl or
of the compiler: python tools/pinned_circuits.py > tests/unit/zk/pinned_circuits.json
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import public_srs

from marketplace.chain.fingerprint import Fingerprint, fingerprint
from zk import keys
from zk.shape import CircuitShape, layout_of

SHAPES = ((3, 4), (3, 12), (4, 16), (6, 15))


def made(shape: CircuitShape, folder: Path) -> Fingerprint:
    """The fingerprint of the circuit of `shape`, made anew below `folder`."""
    srs = folder / f"public-{layout_of(shape).logrows}.srs"
    public_srs.write(srs, layout_of(shape).logrows)
    return fingerprint(keys.build(shape, folder / "cache", srs_file=srs))


def document(folder: Path) -> dict[str, dict[str, str]]:
    """Fingerprints by shape."""
    shapes = [CircuitShape(slots, length) for slots, length in SHAPES]
    return {f"{shape.slots}x{shape.length}": dataclasses.asdict(made(shape, folder)) for shape in shapes}


def main() -> int:
    """Prints the document."""
    with tempfile.TemporaryDirectory() as folder:
        json.dump(document(Path(folder)), sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
