"""Points, reference strings, ceremony files, circuits' records, and what a proof begins with."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator

from tests.fuzz.forge import as_file, patched, scratch
from tests.fuzz.target import Target
from tests.unit.zk.srs_files import ptau_bytes, ptau_sections, sound_srs
from zk import curve, files, prover, ptau, srs
from zk.curve import Point
from zk.shape import CircuitShape

_LOGROWS = 2
_SHAPE = CircuitShape(3, 4)
_CHECKED = ("settings.json", "circuit.compiled", "verifying.key", "verifier.sol")


@functools.cache
def _sound_srs() -> bytes:
    return sound_srs(_LOGROWS)


@functools.cache
def _sound_ptau(prepared: bool) -> bytes:
    return ptau_bytes(ptau_sections(_LOGROWS, prepared=prepared))


def _srs(data: bytes) -> object:
    """The first byte: what is cut off; the others patch the file."""
    whole = patched(_sound_srs(), data[1:])
    cut = whole[: len(whole) - (data[0] if data else 0)]
    srs.check(cut, _LOGROWS, "test")
    path = as_file(cut, "k.srs")
    return srs.points(path, _LOGROWS), srs.twisted(path), srs.lagrange_point(path, _LOGROWS, 1)


def _ptau_head(data: bytes) -> object:
    """A file of these bytes alone: sections and sizes as they come."""
    return ptau.read(as_file(data, "small.ptau"))


def _ptau(data: bytes) -> object:
    """The first byte chooses a sound file and cuts it, the others patch it; read and turned into an SRS."""
    choice = data[0] if data else 0
    whole = patched(_sound_ptau(bool(choice & 1)), data[1:])
    source = ptau.read(as_file(whole[: len(whole) - (choice >> 1)], "sound.ptau"))
    target = scratch() / "of.srs"
    ptau.write_srs(source, _LOGROWS, target)
    return srs.points(target, _LOGROWS)


def _record(data: bytes) -> object:
    """A circuit's record in the cache, beside sound files."""
    folder = scratch() / "circuit"
    folder.mkdir(exist_ok=True)
    for name in _CHECKED:
        (folder / name).write_bytes(b"")
    (folder / "k.srs").write_bytes(_sound_srs())
    (folder / files.RECORD).write_bytes(data)
    return files.load(folder)


def _record_seeds() -> Iterator[bytes]:
    empty = hashlib.sha256().hexdigest()
    hashes = {**dict.fromkeys(_CHECKED, empty), "k.srs": hashlib.sha256(_sound_srs()).hexdigest()}
    stated = {"slots": 3, "length": 4, "range": "disputed", "ezkl": files.EZKL_VERSION, "srs_kind": "test"}
    record = {**stated, "srs": "k.srs", "zero": ["0x1", "0x2"], "proof_length": 1000, "sha256": hashes}
    yield json.dumps(record).encode()


def _head_seeds() -> Iterator[bytes]:
    yield ptau_bytes(ptau_sections(1))
    yield ptau_bytes({1: ptau_sections(1)[1], 2: b"", 3: b""})
    yield ptau_bytes({1: b"", 9: b"abc"})


TARGETS = (
    Target("curve-point", curve.from_bytes, lambda: [curve.to_bytes(Point(1, 2)), bytes(curve.SIZE)]),
    Target(
        "proof-head",
        lambda data: prover.commitments_of(data, _SHAPE),
        lambda: [curve.to_bytes(Point(1, 2)) * _SHAPE.slots + b"proof"],
    ),
    Target("srs", _srs, lambda: [b"\0", b"\1\0\0\1"], share=0.3),
    Target("ptau-sections", _ptau_head, _head_seeds),
    Target("ptau", _ptau, lambda: [b"\0", b"\1", b"\1\0\x05\1"], share=0.05),
    Target("circuit-record", _record, _record_seeds, share=0.3, json_at=0),
)
