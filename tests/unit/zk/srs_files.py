"""Small SRSs and .ptau files of a known tau, sound or with one thing wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from py_ecc.bn128.bn128_curve import G2 as _G2
from py_ecc.bn128.bn128_curve import multiply as _multiply

from zk import batch, srs
from zk.batch import Affine
from zk.curve import BASE_FIELD
from zk.felts import FIELD
from zk.pairing import GENERATOR, root_of_unity

TAU = 0x5EC2E7
Twisted = tuple[int, int, int, int]  # real parts first, as in the files


def powers(tau: int, count: int) -> list[Affine]:
    """tau^i times the generator."""
    return batch.scaled([GENERATOR] * count, [pow(tau, i, FIELD) for i in range(count)])


def lagrange(tau: int, rows: int, root: int) -> list[Affine]:
    """[L_j(tau)] over the powers of `root`, by their formula: w^j (tau^n - 1) / (n (tau - w^j))."""
    places = [pow(root, j, FIELD) for j in range(rows)]
    factor = (pow(tau, rows, FIELD) - 1) * pow(rows, -1, FIELD)
    return batch.scaled([GENERATOR] * rows, [w * factor * pow(tau - w, -1, FIELD) % FIELD for w in places])


def twisted(scalar: int) -> Twisted:
    """scalar G2."""
    point = _multiply(_G2, scalar)
    assert point is not None
    real_x, imaginary_x, real_y, imaginary_y = (int(c) for axis in point for c in axis.coeffs)
    return real_x, imaginary_x, real_y, imaginary_y


def srs_bytes(
    logrows: int,
    monomial: Sequence[Affine],
    by_rows: Sequence[Affine],
    tau_2: Twisted,
    generator_2: Twisted | None = None,
) -> bytes:
    """An SRS in ezkl's format."""
    pairs = [(tau_2[i], tau_2[i + 1]) for i in (0, 2)]
    first = generator_2 or twisted(1)
    firsts = [(first[i], first[i + 1]) for i in (0, 2)]
    return logrows.to_bytes(4, "little") + srs.packed([*monomial, *by_rows, *firsts, *pairs])


def sound_srs(logrows: int, tau: int = TAU) -> bytes:
    """A sound SRS."""
    rows = 1 << logrows
    return srs_bytes(logrows, powers(tau, rows), lagrange(tau, rows, root_of_unity(logrows)), twisted(tau))


def ptau_sections(power: int, tau: int = TAU, *, prepared: bool = True) -> dict[int, bytes]:
    """The sections of a .ptau file that are read here, by type."""
    rows = 1 << power
    header = struct.pack("<I32sII", 32, BASE_FIELD.to_bytes(32, "little"), power, power)
    read = [part for scalar in (1, tau) for part in _halves(twisted(scalar))]
    pairs = read + _halves(twisted(1)) * (rows - 2)  # nobody looks at the higher powers in G2
    sections = {1: header, 2: srs.packed(powers(tau, 2 * rows - 1)), 3: srs.packed(pairs)}
    if prepared:
        levels = [lagrange(tau, 1 << level, _snarkjs_root(level)) for level in range(power + 2)]
        sections[12] = srs.packed([point for level in levels for point in level])
    return sections


def ptau_bytes(sections: dict[int, bytes]) -> bytes:
    """A .ptau file of these sections."""
    body = b"".join(struct.pack("<IQ", kind, len(content)) + content for kind, content in sections.items())
    return struct.pack("<4sII", b"ptau", 1, len(sections)) + body


def written(path: Path, data: bytes) -> Path:
    """`path`, holding `data`."""
    path.write_bytes(data)
    return path


def _halves(point: Twisted) -> list[tuple[int, int]]:
    return [(point[0], point[1]), (point[2], point[3])]


def _snarkjs_root(level: int) -> int:
    return pow(5, (FIELD - 1) >> level, FIELD)
