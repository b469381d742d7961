"""Powers of tau as ceremonies publish them: snarkjs's `.ptau`, as in powersOfTau28_hez_final_14.ptau.

`ptau`, u32 version 1, u32 count, then sections (u32 type, u64 size, content), all little-endian. Read here: 1, the
header (u32 32, the field's modulus, u32 power, u32 the ceremony's power); 2, [tau^i] for i < 2^(power + 1) - 1; 3,
[tau^i]G2; and where it was "prepared for phase 2" 12, the Lagrange points of 2^0, 2^1, .. rows, one after the other.
Points are pairs of coordinates times 2^256, as in ezkl's SRS. Only what a size needs is read.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from marketplace.errors import FairshareError, Reason
from zk import batch, srs
from zk.curve import BASE_FIELD
from zk.felts import FIELD
from zk.pairing import Progress, root_of_unity
from zk.srs import G1_BYTES, G2_BYTES, MAX_LOGROWS

MAGIC = b"ptau"
MAX_POWER = 28

_MAX_SECTIONS = 32
_HEADER, _POWERS, _POWERS_2, _LAGRANGE = 1, 2, 3, 12
_SNARKJS_GENERATOR = 5  # the least non-residue; halo2 takes 7, so the same points stand in another order
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class PowersOfTau:
    """A .ptau file: 2^power powers, and where its sections are (offset, size)."""

    path: Path
    power: int
    sections: dict[int, tuple[int, int]]

    @property
    def prepared(self) -> bool:
        """Whether Lagrange points are in it."""
        return _LAGRANGE in self.sections


def is_ptau(path: Path) -> bool:
    """Whether the file begins as one. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path) -> PowersOfTau:
    """Header and table of a .ptau file, sizes checked against the file's. Raises INTEGRITY, OSError."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        magic, version, count = _unpack(file, "<4sII")
        if magic != MAGIC or version != 1 or not 0 < count <= _MAX_SECTIONS:
            raise _malformed("it does not begin as one")
        sections: dict[int, tuple[int, int]] = {}
        for _ in range(count):
            kind, size = _unpack(file, "<IQ")
            start = file.tell()
            if size > end - start or kind in sections:
                raise _malformed(f"its section {kind} is cut, or stands twice")
            sections[kind] = (start, size)
            file.seek(size, os.SEEK_CUR)
        power = _power(file, sections)
    return PowersOfTau(path, power, sections)


def write_srs(source: PowersOfTau, logrows: int, target: Path, on_progress: Progress | None = None) -> None:
    """Writes the SRS for 2^logrows rows in ezkl's format, unchecked (`zk.pairing.check_srs`).

    Takes minutes and more where the file is not prepared: the Lagrange points are computed then. Raises
    BAD_INPUT for a size it does not have, INTEGRITY.
    """
    if not 1 <= logrows <= min(source.power, MAX_LOGROWS):
        raise FairshareError(
            Reason.BAD_INPUT,
            f"{source.path.name} has 2^{source.power} powers: no SRS of 2^{logrows} rows",
            f"give --logrows from 1 to {min(source.power, MAX_LOGROWS)}, or a larger file",
        )
    with source.path.open("rb") as file, target.open("wb") as out:
        out.write(logrows.to_bytes(4, "little"))
        file.seek(source.sections[_POWERS][0])
        _copy(file, out, G1_BYTES << logrows)
        if source.prepared:
            out.write(_lagrange(file, source, logrows))
        else:
            powers = _powers(file, source, logrows)
            (on_progress or (lambda step: None))("computing the Lagrange points")
            out.write(srs.packed(batch.lagrange_points(powers, root_of_unity(logrows))))
        file.seek(source.sections[_POWERS_2][0])
        _copy(file, out, 2 * G2_BYTES)


def _power(file: BinaryIO, sections: dict[int, tuple[int, int]]) -> int:
    for kind in (_HEADER, _POWERS, _POWERS_2):
        if kind not in sections:
            raise _malformed(f"it has no section {kind}")
    start, size = sections[_HEADER]
    if size != 4 + 32 + 4 + 4:
        raise _malformed("its header has another size")
    file.seek(start)
    width, modulus, power, _ = _unpack(file, "<I32sII")
    if width != 32 or int.from_bytes(modulus, "little") != BASE_FIELD:
        raise _malformed("its curve is not BN254")
    if not 1 <= power <= MAX_POWER:
        raise _malformed(f"it states 2^{power} powers")
    wanted = {
        _POWERS: G1_BYTES * ((2 << power) - 1),
        _POWERS_2: G2_BYTES << power,
        _LAGRANGE: G1_BYTES * ((4 << power) - 1),
    }
    for kind, due in wanted.items():
        if kind in sections and sections[kind][1] != due:
            raise _malformed(f"its section {kind} has {sections[kind][1]} bytes, not {due}")
    return int(power)


def _lagrange(file: BinaryIO, source: PowersOfTau, logrows: int) -> bytes:
    """The Lagrange points of 2^logrows rows, in halo2's order."""
    rows = 1 << logrows
    file.seek(source.sections[_LAGRANGE][0] + G1_BYTES * (rows - 1))
    theirs = np.frombuffer(_read(file, G1_BYTES * rows), dtype=np.uint8).reshape(rows, G1_BYTES)
    ours = np.empty_like(theirs)
    ours[np.arange(rows, dtype=np.int64) * _exponent(logrows) % rows] = theirs
    return ours.tobytes()


def _exponent(logrows: int) -> int:
    """e with (snarkjs's root of unity) = (halo2's)^e, both of order 2^logrows, bit by bit (Pohlig, Hellman)."""
    ours = root_of_unity(logrows)
    theirs = pow(_SNARKJS_GENERATOR, (FIELD - 1) >> logrows, FIELD)
    exponent = 0
    for bit in range(logrows):
        left = theirs * pow(ours, -exponent, FIELD) % FIELD
        if pow(left, 1 << (logrows - 1 - bit), FIELD) != 1:
            exponent |= 1 << bit
    return exponent


def _powers(file: BinaryIO, source: PowersOfTau, logrows: int) -> list[batch.Affine]:
    file.seek(source.sections[_POWERS][0])
    return srs.unpacked(_read(file, G1_BYTES << logrows), source.path.name)


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, _read(file, struct.calcsize(layout)))


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _malformed("it is cut")
    return data


def _copy(file: BinaryIO, out: BinaryIO, size: int) -> None:
    while size:
        data = _read(file, min(size, _CHUNK_BYTES))
        out.write(data)
        size -= len(data)


def _malformed(problem: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"this is no .ptau file: {problem}", "download the ceremony's file again"
    )
