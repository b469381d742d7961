"""Structured reference strings: what size one has, and which ones come from a ceremony.

An SRS is the powers of a secret number tau in the exponent. Whoever knows tau can open a commitment to
anything and prove anything. `test`: made on one machine, whose owner could know tau. `ceremony`: the
perpetual powers of tau, where one honest participant among dozens is enough.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from marketplace.errors import FairshareError, Reason
from zk.batch import Affine
from zk.curve import BASE_FIELD, G2, Point

SrsKind = Literal["test", "ceremony"]

# SHA-256 of the perpetual powers of tau, cut to 2^k and in ezkl's format, by k (ezkl 23.0.5, src/srs_sha.rs).
CEREMONY_SHA256 = {
    7: "e65f95150519fe01c2bedf8f832f5249822ef84c9c017307419e10374ff9eeb1",
    8: "446092fd1d6030e5bb2f2a8368267d5ed0fbdb6a766f6c5e4a4841827ad3106f",
    9: "493d088951882ad81af11e08c791a38a37c0ffff14578cf2c7fb9b7bca654d8b",
    10: "9705d450e5dfd06adb673705f7bc34418ec86339203198beceb2ae7f1ffefedb",
    11: "257fa566ed9bc0767d3e63e92b5e966829fa3347d320a32055dc31ee7d33f8a4",
    12: "28b151069f41abc121baa6d2eaa8f9e4c4d8326ddbefee2bd9c0776b80ac6fad",
    13: "d5d94bb25bdc024f649213593027d861042ee807cafd94b49b54f1663f8f267d",
    14: "c09129f064c08ecb07ea3689a2247dcc177de6837e7d2f5f946e30453abbccef",
    15: "90807800a1c3b248a452e1732c45ee5099f38b737356f5542c0584ec9c3ebb45",
    16: "2a1a494630e71bc026dd5c0eab4c1b9a5dbc656228c1f0d48f5dbd3909b161d3",
    17: "41509f380362a8d14401c5ae92073154922fe23e45459ce6f696f58607655db7",
    18: "d0148475717a2ba269784a178cb0ab617bc77f16c58d4a3cbdfe785b591c7034",
    19: "d1a1655b4366a766d1578beb257849a92bf91cb1358c1a2c37ab180c5d3a204d",
    20: "54ef75911da76d7a6b7ea341998aaf66cb06c679c53e0a88a4fe070dd3add963",
}

G1_BYTES, G2_BYTES = 64, 128
MAX_LOGROWS = max(CEREMONY_SHA256)  # more are never read

_COORDINATE_BYTES = 32
_MONTGOMERY_INVERSE = pow(1 << 256, -1, BASE_FIELD)  # coordinates are stored times 2^256, little-endian


def size(logrows: int) -> int:
    """Bytes of an SRS file for 2^logrows rows: k, 2^k powers, 2^k Lagrange points (G1), two points of G2."""
    return 4 + 2 * (G1_BYTES << logrows) + 2 * G2_BYTES


def kind_of(data: bytes, logrows: int) -> SrsKind:
    """Where an SRS comes from, which its hash alone decides: what is not the ceremony's is a test SRS."""
    return "ceremony" if hashlib.sha256(data).hexdigest() == CEREMONY_SHA256.get(logrows) else "test"


def check(data: bytes, logrows: int, kind: SrsKind) -> None:
    """Raises FairshareError(INTEGRITY) unless `data` has such an SRS's size and, if `ceremony`, its hash."""
    if len(data) != size(logrows) or int.from_bytes(data[:4], "little") != logrows:
        raise FairshareError(
            Reason.INTEGRITY,
            f"this circuit's SRS is {size(logrows)} bytes for 2^{logrows} rows; {len(data)} others came",
            f"take the SRS for 2^{logrows} rows: `fairshare circuit srs import FILE --logrows {logrows}` makes one",
        )
    if kind == "ceremony" and kind_of(data, logrows) != "ceremony":
        raise FairshareError(
            Reason.INTEGRITY,
            "the SRS is said to come from the powers of tau ceremony, and does not",
            "do not join this project",
        )


def points(path: Path, logrows: int) -> tuple[list[Affine], list[Affine]]:
    """The 2^logrows powers and as many Lagrange points as they stand in the file: on the curve or not.

    Raises INTEGRITY as for `tau`, and where the file's size is another.
    """
    if path.stat().st_size != size(logrows):
        raise FairshareError(Reason.INTEGRITY, f"{path.name} is no SRS for 2^{logrows} rows")
    with path.open("rb") as file:
        file.seek(4)
        powers, lagrange = (unpacked(file.read(G1_BYTES << logrows), path.name) for _ in range(2))
    return powers, lagrange


def twisted(path: Path) -> tuple[G2, G2]:
    """The two points of G2, which should be its generator and [tau]G2; INTEGRITY as for `tau`."""
    words = _coordinates(path, path.stat().st_size - 2 * G2_BYTES, 8)
    first, second = (G2(w[1], w[0], w[3], w[2]) for w in (words[:4], words[4:]))
    return first, second


def unpacked(data: bytes, name: str) -> list[Affine]:
    """Points of G1 as a file called `name` has them: pairs of coordinates times 2^256. INTEGRITY as for `tau`."""
    words = _reduced(data, name)
    return list(zip(words[::2], words[1::2], strict=True))


def packed(points: Iterable[Affine]) -> bytes:
    """The inverse of `unpacked`; the point at infinity is (0, 0)."""
    coordinates = (number for point in points for number in point or (0, 0))
    return b"".join(
        ((number << 256) % BASE_FIELD).to_bytes(_COORDINATE_BYTES, "little") for number in coordinates
    )


def tau(path: Path) -> G2:
    """[tau]G2, the last point of the file; FairshareError(INTEGRITY) where its numbers are not reduced."""
    return twisted(path)[1]


def lagrange_point(path: Path, logrows: int, row: int) -> Point:
    """[L_row(tau)], the commitment of 1 in that row and 0 in the other ones; INTEGRITY as for `tau`."""
    x, y = _coordinates(path, 4 + (G1_BYTES << logrows) + G1_BYTES * row, 2)
    return Point(x, y)


def excerpt(path: Path, logrows: int, first: int, count: int, rows: int) -> bytes:
    """A file that ezkl commits with as with an SRS for 2^rows rows: `count` Lagrange points from `first` on.

    The rows after them have the point L_0. Good for commitments alone: there is no tau behind it.
    """
    lagrange = 4 + (G1_BYTES << logrows)
    with path.open("rb") as file:
        file.seek(lagrange)
        padding = file.read(G1_BYTES) * ((1 << rows) - count)
        file.seek(lagrange + G1_BYTES * first)
        points = file.read(G1_BYTES * count) + padding
        file.seek(-2 * G2_BYTES, os.SEEK_END)
        return rows.to_bytes(4, "little") + points + points + file.read()


def _coordinates(path: Path, offset: int, count: int) -> list[int]:
    with path.open("rb") as file:
        file.seek(offset)
        return _reduced(file.read(_COORDINATE_BYTES * count), path.name)


def _reduced(data: bytes, name: str) -> list[int]:
    starts = range(0, len(data), _COORDINATE_BYTES)
    words = [int.from_bytes(data[at : at + _COORDINATE_BYTES], "little") for at in starts]
    if any(word >= BASE_FIELD for word in words):
        raise FairshareError(
            Reason.INTEGRITY,
            f"{name} holds a number beyond the field",
            "fetch the circuit's files again",
        )
    return [word * _MONTGOMERY_INVERSE % BASE_FIELD for word in words]
