"""A circuit's constraints as its key and its verifier state them, held against a trace of cells.

Gates are read out of the Solidity verifier that ezkl generates (its quotient's numerator, term by term), selectors and
copy constraints out of the proving key: what a prover that is not ezkl's own has to satisfy, and all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import copy_constraints
from copy_constraints import Cell, KeyCircuit

from zk import keys
from zk.felts import FIELD
from zk.files import CircuitFiles
from zk.shape import layout_of

_TERM = re.compile(r"\{((?:\s*let \w+ := [^\n]+\n)+)\s*quotient_eval_numer := [^\n]*\b(\w+)(?:, r\))?\n\s*\}")
_LET = re.compile(r"let (\w+) := ([^\n]+)")
_CELL = re.compile(r"(a|f)_(\d+)(?:_(prev|next)_(\d+))?$")

Read = Callable[[str, int, int], int]
"""("a" or "f", column, rotation) -> the cell's value."""


@dataclass(frozen=True)
class Gate:
    """One polynomial identity: zero in every row of a trace that a proof can be made of. `cells` are what it reads."""

    steps: tuple[tuple[str, str], ...]
    result: str
    cells: tuple[tuple[str, int, int], ...]

    def value(self, read: Read) -> int:
        known = {"R": FIELD}
        for name, expression in self.steps:
            cell = _CELL.match(name)
            known[name] = read(*_named(cell)) if cell else _evaluate(expression, known)
        return known[self.result] % FIELD

    def switched_on(self, system: ConstraintSystem, row: int) -> bool:
        """Whether it says anything about the advice in this row: selectors multiply the rest."""
        return self.value_at(system, row, _with_one((-1, -1), 0, 0)) != 0

    def decides(self, system: ConstraintSystem, row: int, cell: Cell) -> bool:
        """Whether it is a * x + b in the cell's value x, with an a that is not zero, whatever the other cells."""
        slopes = set()
        for salt in range(3):
            values = [self.value_at(system, row, _with_one(cell, x, salt)) for x in range(3)]
            slopes |= {(values[1] - values[0]) % FIELD, (values[2] - values[1]) % FIELD}
        return len(slopes) == 1 and 0 not in slopes

    def value_at(self, system: ConstraintSystem, row: int, advice: Callable[[Cell], int]) -> int:
        """Its value in a row, the advice cells being what `advice` says."""

        def read(kind: str, column: int, rotation: int) -> int:
            place = (row + rotation) % system.rows
            return system.key.fixed[column].get(place, 0) if kind == "f" else advice((column, place))

        return self.value(read)


@dataclass(frozen=True)
class ConstraintSystem:
    """`advice` columns of 2^logrows rows each; the public column comes last under the copy constraints."""

    files: CircuitFiles
    key: KeyCircuit
    gates: tuple[Gate, ...]
    advice: int

    @property
    def rows(self) -> int:
        return 1 << self.files.logrows


@dataclass
class Trace:
    """Values by column and row: every advice column, and the public numbers."""

    advice: list[list[int]]
    public: list[int]


def constraint_system(files: CircuitFiles) -> ConstraintSystem:
    """Reads a circuit's constraints: gates and copies, there are no others."""
    key = copy_constraints.read(keys.proving_key(files), files.vk, files.logrows)
    gates = _gates(files.verifier)
    advice = files.shape.slots + 3 * layout_of(files.shape).columns
    assert {column for gate in gates for kind, column, _ in gate.cells if kind == "a"} <= set(range(advice))
    return ConstraintSystem(files, key, gates, advice)


def honest_trace(system: ConstraintSystem, rows: Sequence[Sequence[int]]) -> Trace:
    """The cells as ezkl assigns them: updates in the first columns, then factors and running sums."""
    slots, length = system.files.shape.slots, system.files.shape.length
    width = layout_of(system.files.shape).columns
    advice = [[0] * system.rows for _ in range(system.advice)]
    for column, row in zip(advice, rows, strict=False):
        column[:length] = [entry % FIELD for entry in row]
    public, at = [], 0
    for i in range(slots):
        for j in range(i, slots):
            total = 0
            for start in range(0, length, width):
                for lane in range(min(width, length - start)):
                    a, b = rows[i][start + lane] % FIELD, rows[j][start + lane] % FIELD
                    advice[slots + lane][at], advice[slots + width + lane][at] = a, b
                    total = (total + a * b) % FIELD
                advice[slots + 2 * width][at] = total
                at += 1
            public.append(total)
    for entry, total in enumerate(public):  # ezkl lays the numbers out once more before it publishes them
        for place, at in system.key.equal_to((system.key.columns - 1, entry)):
            if place < system.advice:
                advice[place][at] = total
    return Trace(advice, public)


def decided_cells(system: ConstraintSystem, known: set[Cell]) -> set[Cell]:
    """The cells that can have one value only, once those of `known` have theirs.

    A copy has its original's. A gate that is switched on in a row decides one more cell where it is linear in it with a
    slope that never is zero: a running sum.
    """
    decided: set[Cell] = set()
    fresh = [*known, *((column, row) for column, row in _constants(system))]
    waiting = [
        (gate, row) for gate in system.gates for row in range(system.rows) if gate.switched_on(system, row)
    ]
    while fresh:
        for cell in fresh:
            decided |= system.key.equal_to(cell)
        fresh = []
        for gate, row in list(waiting):
            cells = {
                (column, (row + shift) % system.rows) for kind, column, shift in gate.cells if kind == "a"
            }
            open_ = cells - decided
            if len(open_) == 1 and gate.decides(system, row, *open_):
                waiting.remove((gate, row))
                fresh += open_
    return decided


def _constants(system: ConstraintSystem) -> Iterator[Cell]:
    """Fixed cells under the copy constraints: what is neither advice nor public."""
    for column in range(system.advice, system.key.columns - 1):
        for row in range(system.rows):
            yield column, row


class Checker:
    """Which constraints a trace breaks; after `alter`, only those that the altered cell is in are looked at again."""

    def __init__(self, system: ConstraintSystem, trace: Trace) -> None:
        self._system, self._trace = system, trace

    def broken(self) -> int:
        """Gates and cells that do not hold, over all rows and columns."""
        system = self._system
        gates = sum(self._gates_broken(row) for row in range(system.rows))
        cells = [(column, row) for column in range(system.key.columns) for row in range(system.rows)]
        return gates + sum(self._copies_broken(cell) for cell in cells)

    def holds_with(self, cell: Cell, value: int) -> bool:
        """Whether the trace satisfies everything with one cell changed. The trace stays as it is."""
        before = self._value(cell)
        self._set(cell, value)
        rows = {(cell[1] + shift) % self._system.rows for shift in (-1, 0, 1)}
        broken = self._copies_broken(cell) or any(self._gates_broken(row) for row in rows)
        self._set(cell, before)
        return not broken

    def _gates_broken(self, row: int) -> int:
        advice = self._trace.advice
        return sum(
            gate.value_at(self._system, row, lambda cell: advice[cell[0]][cell[1]]) != 0
            for gate in self._system.gates
        )

    def _copies_broken(self, cell: Cell) -> bool:
        return any(self._value(other) != self._value(cell) for other in self._system.key.equal_to(cell))

    def _value(self, cell: Cell) -> int:
        column, row = cell
        if column < self._system.advice:
            return self._trace.advice[column][row]
        if column == self._system.key.columns - 1:
            return self._trace.public[row] if row < len(self._trace.public) else 0
        return 0  # the column of constants: nothing but the padding's zero

    def _set(self, cell: Cell, value: int) -> None:
        column, row = cell
        if column < self._system.advice:
            self._trace.advice[column][row] = value
        else:
            self._trace.public[row] = value


def _with_one(cell: Cell, value: int, salt: int) -> Callable[[Cell], int]:
    """Some value for each cell, so that a polynomial that is zero there is zero; `value` for `cell`."""

    def of(other: Cell) -> int:
        column, row = other
        return value if other == cell else pow(7, 1 + column + 64 * row + (salt << 20), FIELD)

    return of


def _gates(verifier: Path) -> tuple[Gate, ...]:
    source = verifier.read_text()
    source = source[source.index("let quotient_eval_numer") : source.index("pop(y)")]
    assert "THETA_MPTR" not in source, "lookups and shuffles, which are not read here"
    gates = []
    for body, result in _TERM.findall(source):
        steps = tuple(_LET.findall(body))
        cells = tuple(_named(cell) for name, _ in steps if (cell := _CELL.match(name)))
        if result.startswith("var") and cells:  # the others are the permutation argument's
            gates.append(Gate(steps, result, cells))
    return tuple(gates)


def _named(cell: re.Match[str] | None) -> tuple[str, int, int]:
    assert cell is not None
    kind, column, way, by = cell.groups()
    return kind, int(column), int(by or 0) * {"prev": -1, "next": 1, None: 0}[way]


def _evaluate(expression: str, known: dict[str, int]) -> int:
    if expression.startswith("0x"):
        return int(expression, 16)
    function, _, rest = expression.partition("(")
    if not rest:
        return known[expression]
    a, b, *_ = (known[name] for name in rest.rstrip(")").split(", "))
    return {"addmod": a + b, "mulmod": a * b, "sub": a - b}[function] % FIELD
