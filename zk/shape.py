"""The shape of a Gram circuit, and the rows and columns that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from marketplace.errors import FairshareError, Reason

CIRCUIT_VERSION = 1  # part of the circuit's identity: raise it with any change to `layout_of` or zk.circuit
MIN_SLOTS = 3
MAX_SLOTS = 16
MAX_ELEMENTS = 100_000  # slots * length: beyond it proving needs more than an ordinary machine
BLINDING_ROWS = 6  # rows at the end of each column that halo2 keeps for itself, in this circuit
_MIN_LOGROWS = 7
_MAX_COLUMNS = 7
_MAX_SLOTS_AT_MAX_COLUMNS = 14  # with more, the generated verifier outgrows EIP-170's 24,576 bytes
_TABLE_ENTRIES = 1 << 16  # int16
_TABLE_MARGIN = 8  # rows at the end of a table's column that ezkl leaves free
_MAX_PROVEN_COLUMNS, _MAX_LOOKUPS, _MAX_SLOTS_AT_FIVE_TABLES = (
    5,
    6,
    8,
)  # EIP-170 again: 2^14 rows take 5 tables

Range = Literal["disputed", "proven"]
"""Who sees to it that committed entries are int16: whoever complains, or the circuit itself (docs/proof.md)."""


def parse_range(text: str) -> Range:
    """The range of that name. Raises FairshareError(BAD_INPUT)."""
    if text not in get_args(Range):
        raise FairshareError(
            Reason.BAD_INPUT, f"no circuit with range {text!r}", f"use one of {', '.join(get_args(Range))}"
        )
    return cast(Range, text)


@dataclass(frozen=True)
class CircuitShape:
    """`slots` (K) updates of `length` (d) integers each; `range`: whether the circuit looks each entry up in int16.

    Raises FairshareError(TOO_LARGE) beyond the exact path, FairshareError(BAD_INPUT) where no circuit exists.
    """

    slots: int
    length: int
    range: Range = "disputed"

    def __post_init__(self) -> None:
        parse_range(self.range)
        if self.slots > MAX_SLOTS:
            raise FairshareError(
                Reason.TOO_LARGE,
                f"{self.slots} slots are more than a circuit takes: at most {MAX_SLOTS}",
                "use fewer trainer slots",
            )
        if self.slots < MIN_SLOTS or self.length < 1:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"no circuit for {self.slots} slots x {self.length}: at least {MIN_SLOTS} slots, 1 parameter",
                "use more trainer slots or a model with trainable parameters",
            )
        if self.slots * self.length > MAX_ELEMENTS:
            raise FairshareError(
                Reason.TOO_LARGE,
                f"{self.slots} slots x {self.length} parameters = {self.slots * self.length} is beyond "
                f"the exact path: at most {MAX_ELEMENTS}",
                f"train at most {MAX_ELEMENTS // self.slots} parameters, or use fewer slots",
            )

    @property
    def name(self) -> str:
        """`KxD`, with the range where it is proven: the same shape has the same name."""
        return f"{self.slots}x{self.length}" + ("-proven" if self.range == "proven" else "")

    @property
    def triangle(self) -> int:
        """Entries of the Gram matrix's upper triangle: K (K + 1) / 2."""
        return self.slots * (self.slots + 1) // 2


@dataclass(frozen=True)
class Layout:
    """2^`logrows` rows; dot products run over `columns` elements a row."""

    logrows: int
    columns: int

    @property
    def tables(self) -> int:
        """Fixed columns that a table of all int16 takes, where the range is proven."""
        return (_TABLE_ENTRIES - 1) // ((1 << self.logrows) - _TABLE_MARGIN) + 1

    @property
    def usable_rows(self) -> int:
        return (1 << self.logrows) - BLINDING_ROWS


def layout_of(shape: CircuitShape) -> Layout:
    """The layout of `shape`, the same for everybody: it is part of the circuit's identity.

    Every column holds its cells without wrapping over: no constraint depends on ezkl's overflow handling.
    Cost model, fitted to measured memory and CPU time (benchmarks/prove.py): columns times rows times the
    evaluation domain's extension, which doubles where the gates' degree (columns + 2) passes a power of two.
    """
    candidates = [_layout(shape, columns) for columns in range(1, _MAX_COLUMNS + 1)]
    fitting = [layout for layout in candidates if _fits_a_contract(shape, layout)]
    return min(fitting, key=lambda layout: (_cost(shape, layout), layout.columns))


def shape_of(slots: int, length: int, logrows: int) -> CircuitShape:
    """The shape of a circuit of which only this is known, as of one on chain; of two that fit, the dearer."""
    proven = CircuitShape(slots, length, "proven")
    return proven if layout_of(proven).logrows == logrows else CircuitShape(slots, length)


def _layout(shape: CircuitShape, columns: int) -> Layout:
    # As ezkl counts: one padded dot product for each entry of the triangle, its inputs once, its outputs.
    rows_per_dot = -(-shape.length // columns)
    copies, least = 1, _MIN_LOGROWS
    if shape.range == "proven":
        copies, least = 2, 14 if shape.slots <= _MAX_SLOTS_AT_FIVE_TABLES else 15
    cells = shape.triangle * rows_per_dot * columns + copies * shape.slots * shape.length + shape.triangle
    rows = -(-cells // columns) + 2 * shape.slots  # a started row is not shared between operations
    return Layout(max(least, (rows + BLINDING_ROWS - 1).bit_length()), columns)


def _fits_a_contract(shape: CircuitShape, layout: Layout) -> bool:
    if shape.range == "proven":
        return layout.columns <= _MAX_PROVEN_COLUMNS and layout.columns * layout.tables <= _MAX_LOOKUPS
    return layout.columns < _MAX_COLUMNS or shape.slots <= _MAX_SLOTS_AT_MAX_COLUMNS


def _cost(shape: CircuitShape, layout: Layout) -> int:
    columns, extension = shape.slots + 3 * layout.columns + 4, 8 if layout.columns <= 3 else 12
    if shape.range == "proven":
        columns += layout.columns * layout.tables
        extension = max(extension, {1: 8, 2: 10}.get(layout.tables, 12))
    return columns * extension << layout.logrows
