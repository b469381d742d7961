"""The files of one circuit in the cache, and the record that says what they are.

A directory is complete or not there: it is filled under another name and renamed. Its name is a hash of what
determines it (shape, circuit version, ezkl's version, SRS, verifying key).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zk import srs as srs_files
from zk.curve import G2, Point
from zk.shape import CIRCUIT_VERSION, CircuitShape, layout_of
from zk.srs import SrsKind

EZKL_VERSION = "23.0.5"
RECORD = "circuit.json"

_CHECKED = ("settings.json", "circuit.compiled", "verifying.key", "verifier.sol")


@dataclass(frozen=True)
class CircuitFiles:
    """One circuit, ready for commitments and verification; proving needs `zk.keys.proving_key` too.

    `zero` is C_0, the commitment of the zero vector; `tau` is the SRS's [tau]G2; `proof_length` is in bytes and the
    same for every proof.
    """

    directory: Path
    shape: CircuitShape
    settings: Path
    vk: Path
    srs: Path
    compiled: Path
    srs_kind: SrsKind
    zero: Point
    tau: G2
    proof_length: int

    @property
    def logrows(self) -> int:
        """Columns have 2^logrows rows, and so has the SRS."""
        return layout_of(self.shape).logrows

    @property
    def cache(self) -> Path:
        """The cache that the circuit is in."""
        return self.directory.parent.parent

    @property
    def verifier(self) -> Path:
        """Solidity source of the generated verifier."""
        return self.directory / "verifier.sol"

    @property
    def proving_key(self) -> Path:
        """Where `zk.keys.proving_key` puts the proving key."""
        return self.directory / "proving.key"


def srs_name(kind: SrsKind, logrows: int) -> str:
    """File name of an SRS: it says where the SRS comes from."""
    origin = "TEST-ONLY" if kind == "test" else "ceremony"
    return f"{origin}-k{logrows}.srs"


def key_of(shape: CircuitShape, kind: SrsKind, srs: bytes, vk: bytes) -> str:
    """The name of a circuit's directory."""
    identity = [
        shape.slots,
        shape.length,
        shape.range,
        CIRCUIT_VERSION,
        EZKL_VERSION,
        kind,
        hashlib.sha256(srs).hexdigest(),
        hashlib.sha256(vk).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def write_record(
    directory: Path, shape: CircuitShape, kind: SrsKind, srs: str, inspected: dict[str, Any]
) -> None:
    """Writes what `load` reads; the last step before a directory gets its name."""
    record = {
        "slots": shape.slots,
        "length": shape.length,
        "range": shape.range,
        "ezkl": EZKL_VERSION,
        "srs_kind": kind,
        "srs": srs,
        "zero": inspected["zero"],
        "proof_length": inspected["proof_length"],
        "sha256": {name: _sha256(directory / name) for name in (*_CHECKED, srs)},
    }
    (directory / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def load(directory: Path) -> CircuitFiles | None:
    """The circuit in `directory`, or None where there is none or its files are not what the record says."""
    try:
        record = json.loads((directory / RECORD).read_text())
        intact = all(_sha256(directory / name) == digest for name, digest in record["sha256"].items())
        if not intact:
            return None
        x, y = (int(coordinate, 16) for coordinate in record["zero"])
        return CircuitFiles(
            directory=directory,
            shape=CircuitShape(record["slots"], record["length"], record["range"]),
            settings=directory / "settings.json",
            vk=directory / "verifying.key",
            srs=directory / record["srs"],
            compiled=directory / "circuit.compiled",
            srs_kind=record["srs_kind"],
            zero=Point(x, y),
            tau=srs_files.tau(directory / record["srs"]),
            proof_length=record["proof_length"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def discard(directory: Path) -> None:
    """Removes a directory that `load` did not accept."""
    if directory.exists():
        shutil.rmtree(directory)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
