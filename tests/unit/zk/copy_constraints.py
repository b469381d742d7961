"""Reads the copy constraints out of a halo2 proving key (ezkl 23.0.5, raw bytes).

The permutation argument of a key says which cells must be equal: sigma maps each cell to the next of its cycle. A cell
of column c, row r is written delta^c omega^r. So the key itself, not ezkl's word, shows what the circuit ties together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zk.felts import FIELD

Cell = tuple[int, int]  # column among those under the permutation, row

_GENERATOR = 7
_TWO_ADICITY = 28
_FROM_MONTGOMERY = pow(1 << 256, -1, FIELD)


@dataclass(frozen=True)
class KeyCircuit:
    """`columns` under copy constraints, and the cells that each cell must equal."""

    columns: int
    _class_of: dict[Cell, frozenset[Cell]]
    fixed: list[dict[int, int]]  # fixed columns: row -> value, where it is not zero

    def equal_to(self, cell: Cell) -> frozenset[Cell]:
        return self._class_of.get(cell, frozenset({cell}))


class _Reader:
    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset

    def number(self) -> int:
        self._offset += 4
        return int.from_bytes(self._data[self._offset - 4 : self._offset], "big")

    def polynomial(self) -> list[int]:
        count = self.number()
        start, self._offset = self._offset, self._offset + 32 * count
        return [
            int.from_bytes(self._data[i : i + 32], "little") * _FROM_MONTGOMERY % FIELD
            for i in range(start, self._offset, 32)
        ]

    def polynomials(self) -> list[list[int]]:
        count = self.number()
        for _ in range(count):
            self.number()
        return [self.polynomial() for _ in range(count)]


def read(proving_key: Path, verifying_key: Path, logrows: int) -> KeyCircuit:
    """The copy constraints and fixed columns of a proving key."""
    data, head = proving_key.read_bytes(), verifying_key.read_bytes()
    assert data.startswith(head)
    reader = _Reader(data, len(head))
    for _ in ("l_0", "l_last", "l_active"):
        reader.polynomial()
    fixed = reader.polynomials()
    for _ in ("coefficients", "cosets"):  # the fixed columns twice more
        reader.polynomials()
    sigma = reader.polynomials()
    rows = 1 << logrows
    omega = pow(pow(_GENERATOR, (FIELD - 1) >> _TWO_ADICITY, FIELD), 1 << (_TWO_ADICITY - logrows), FIELD)
    delta = pow(_GENERATOR, 1 << _TWO_ADICITY, FIELD)
    named = {
        pow(delta, column, FIELD) * power % FIELD: (column, row)
        for column in range(len(sigma))
        for row, power in enumerate(_powers(omega, rows))
    }
    following = {
        (column, row): named[value] for column, values in enumerate(sigma) for row, value in enumerate(values)
    }
    return KeyCircuit(len(sigma), _classes(following), [{r: v for r, v in enumerate(c) if v} for c in fixed])


def _powers(base: int, count: int) -> list[int]:
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * base % FIELD)
    return powers


def _classes(following: dict[Cell, Cell]) -> dict[Cell, frozenset[Cell]]:
    classes: dict[Cell, frozenset[Cell]] = {}
    for start in following:
        if start in classes:
            continue
        members, cell = [start], following[start]
        while cell != start:
            members.append(cell)
            cell = following[cell]
        together = frozenset(members)
        classes.update(dict.fromkeys(members, together))
    return classes
