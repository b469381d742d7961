"""The catalogue of circuits: which sizes there are, and which are made.

A project's circuit is that of the next size, so that projects of about the same size share one: its keys here, and on
chain its verifier. A size is the longest update that a layout holds, for which proving costs the same as for a shorter
one of the same layout, or a power of two (from 16 on), as sketches have. What a project does not fill is zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zk import files as circuit_files
from zk.files import CircuitFiles
from zk.shape import MAX_ELEMENTS, CircuitShape, Range, layout_of

LEAST_POWER = 16


def shape_for(slots: int, parameters: int, range: Range = "disputed") -> CircuitShape:
    """The circuit of the catalogue for `slots` updates of `parameters` integers: the next size.

    Raises as `CircuitShape` does where there is none.
    """
    wanted = CircuitShape(slots, parameters, range)
    power = max(LEAST_POWER, 1 << (parameters - 1).bit_length())
    return CircuitShape(slots, min(_fullest(wanted), power), range)


def sizes(slots: int, range: Range = "disputed") -> Iterator[CircuitShape]:
    """All circuits of the catalogue with `slots` inputs, the shortest first."""
    length = 0
    while length < MAX_ELEMENTS // slots:
        shape = shape_for(slots, length + 1, range)
        yield shape
        length = shape.length


def made(cache: Path) -> list[CircuitFiles]:
    """The circuits in a cache, by shape; others' as well as the catalogue's. Damaged ones are left out."""
    found = (circuit_files.load(path) for path in sorted(cache.glob("circuits/*/")))
    return sorted(
        (files for files in found if files is not None),
        key=lambda files: (files.shape.slots, files.shape.length, files.shape.range, files.srs_kind),
    )


def _fullest(shape: CircuitShape) -> int:
    """The longest update that the layout of `shape` holds: a layout belongs to one range of lengths."""
    layout = layout_of(shape)
    low, beyond = shape.length, MAX_ELEMENTS // shape.slots + 1
    while low + 1 < beyond:
        middle = (low + beyond) // 2
        if layout_of(CircuitShape(shape.slots, middle, shape.range)) == layout:
            low = middle
        else:
            beyond = middle
    return low
