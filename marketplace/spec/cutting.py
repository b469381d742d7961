"""Which path a project takes, and how its vectors are cut on the sketch path (docs/sketch.md, "Numbers")."""

from __future__ import annotations

import math
from typing import Literal

from marketplace.errors import FairshareError, Reason
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import (
    MAX_CHUNK_LENGTH,
    MAX_CHUNKS,
    MAX_WIDTH,
    MIN_WIDTH,
    ArithmeticPath,
    SketchSection,
)
from zk import catalogue
from zk.shape import MAX_ELEMENTS, CircuitShape, Range, layout_of

PathChoice = Literal["exact", "sketch", "auto"]

# d on the exact path: `answerModel` carries 4 bytes a parameter, and usual nodes take no transaction over 131,072
# bytes; at this d it has 128,348. What cannot be answered could be challenged at will.
MAX_LENGTH = 32_000
# d on the sketch path: sums of so many int16 stay far within a sketch's range (zk.prover.SKETCH_LIMIT).
MAX_SKETCHED = 1 << 24
# A false answer to the challenge of a sum is refuted in one transaction with all values, 32 bytes a chunk, and the
# bytes of that chunk in both models, 8 a number: the rest of 131,072 is for leaves, paths and the envelope.
MAX_REFUTATION_BYTES = 124_000
WIDTH, CHUNK_LENGTH = 1024, 4096  # where the owner says nothing
# Standard deviations of |s|^2 / |q|^2, each at most sqrt(2 / k), that a norm bound leaves to the sketch.
SKETCH_DEVIATIONS = 8


def chosen_path(choice: PathChoice, inputs: int, parameters: int, range: Range) -> ArithmeticPath:
    """ "auto" takes the exact path where circuit and answers to challenges have room for it."""
    if choice != "auto":
        return choice
    try:
        shape = catalogue.shape_for(inputs, parameters, range)
    except FairshareError as error:
        if error.reason is not Reason.TOO_LARGE:
            raise
        return "sketch"
    return "exact" if shape.length <= MAX_LENGTH else "sketch"


def exact_shape(inputs: int, parameters: int, range: Range) -> CircuitShape:
    """The circuit for whole updates; TOO_LARGE where there is none, with the other path for a hint."""
    try:
        return catalogue.shape_for(inputs, parameters, range)
    except FairshareError as error:
        if error.reason is not Reason.TOO_LARGE:
            raise
        hint = f'{error.hint}; or set arithmetic.path = "sketch"'
        raise FairshareError(error.reason, error.message, hint) from error


def sketch_shape(inputs: int, width: int) -> CircuitShape:
    """The circuit for sketches of `width` numbers; BAD_SPEC where it is no width or there is no such circuit."""
    check_width(width)
    try:
        return catalogue.shape_for(inputs, width)
    except FairshareError as error:
        raise bad_field("arithmetic.width", error.message) from error


def cut(shape: CircuitShape, parameters: int, chunk_length: int | None) -> SketchSection:
    """The chunks of vectors of `parameters` numbers; None: the usual length, as far as the circuit has room.

    Raises TOO_LARGE beyond the sketch path, BAD_SPEC as `check_cut`.
    """
    check_sketched(parameters)
    width = shape.length
    usual = max(width, min(CHUNK_LENGTH // width, _most(shape) // width) * width)
    length = usual if chunk_length is None else chunk_length
    _check_chunk_length(shape, length, "arithmetic.chunk_length")
    chunks = -(-parameters // length)
    if chunks > MAX_CHUNKS:
        raise bad_field(
            "arithmetic.chunk_length",
            f"it gives {chunks} chunks, at most {MAX_CHUNKS} are possible",
            _advice(shape, parameters),
        )
    section = SketchSection(chunk_length=length, chunks=chunks)
    check_cut(shape, section, "arithmetic.chunk_length")
    return section


def check_cut(shape: CircuitShape, section: SketchSection, field: str = "sketch.chunk_length") -> None:
    """Raise BAD_SPEC, naming `field`, unless chunks fit the circuit, hold whole blocks, and disputes a transaction."""
    _check_chunk_length(shape, section.chunk_length, field)
    size = _refutation_bytes(section.length, section.chunk_length)
    if size > MAX_REFUTATION_BYTES:
        raise bad_field(
            field,
            f"{section.chunks} chunks of {section.chunk_length} numbers take {size} bytes of a transaction to dispute, "
            f"at most {MAX_REFUTATION_BYTES} are possible",
            _advice(shape, section.length),
        )


def check_sketched(length: int) -> None:
    """Raise TOO_LARGE for vectors beyond the sketch path."""
    if length > MAX_SKETCHED:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"{length} parameters are beyond the sketch path: at most {MAX_SKETCHED}",
            f"train at most {MAX_SKETCHED} parameters",
        )


def check_width(width: int, field: str = "arithmetic.width") -> None:
    """Raise BAD_SPEC, naming `field`, unless a sketch may have so many numbers."""
    if not MIN_WIDTH <= width <= MAX_WIDTH or width & (width - 1):
        raise bad_field(field, f"it is a power of two from {MIN_WIDTH} to {MAX_WIDTH}")


def norm_factor(width: int) -> float:
    """By how much the norm bound exceeds an honest update's, for what its sketch of `width` numbers adds.

    |s|^2 has mean |q|^2 and variance at most 2 |q|^4 / k: the bound is 8 standard deviations up. Where many numbers
    make up the norm, |s|^2 is about |q|^2 / k times a chi-square of k degrees, above it with a chance below 10^-10;
    no vector's chance is above 1/64 (Chebyshev).
    """
    return 1 + SKETCH_DEVIATIONS * math.sqrt(2 / width)


def sure_norm_squared(max_norm_squared: int, width: int | None) -> int:
    """The squared norm up to which every update is within the bound: its sketch is, too (`width` None: no sketch)."""
    return max_norm_squared if width is None else int(max_norm_squared / norm_factor(width))


def _most(shape: CircuitShape) -> int:
    """Numbers of the longest chunk that the circuit's rows hold."""
    return min(layout_of(shape).usable_rows - 1, MAX_CHUNK_LENGTH)


def _refutation_bytes(parameters: int, chunk_length: int) -> int:
    """Of a transaction: all values, and one chunk of both models."""
    return 32 * -(-parameters // chunk_length) + 8 * chunk_length


def _lengths(shape: CircuitShape) -> range:
    """Chunk lengths that the circuit has room for."""
    return range(shape.length, _most(shape) + 1, shape.length)


def _fitting(shape: CircuitShape, parameters: int) -> int | None:
    """The chunk length whose disputes take the fewest bytes; None where even they are too many."""
    size, length = min((_refutation_bytes(parameters, length), length) for length in _lengths(shape))
    return length if size <= MAX_REFUTATION_BYTES else None


def _advice(shape: CircuitShape, parameters: int) -> str:
    """What to do where a cut of so many parameters fits no transaction."""
    length = _fitting(shape, parameters)
    if length is not None:
        return f"use a chunk length of {length}"
    most = max(length * ((MAX_REFUTATION_BYTES - 8 * length) // 32) for length in _lengths(shape))
    fewer = f"use at most {most} parameters"
    wider = (1 << power for power in range(shape.length.bit_length(), MAX_WIDTH.bit_length()))
    for width in wider:
        if width * shape.slots > MAX_ELEMENTS:
            break
        if _fitting(catalogue.shape_for(shape.slots, width), parameters) is not None:
            return f"{fewer}, or a width of {width}"
    return fewer


def _check_chunk_length(shape: CircuitShape, length: int, field: str) -> None:
    if length < 1 or length % shape.length:
        raise bad_field(field, f"it is a multiple of the sketch's width, {shape.length}")
    if length > _most(shape):
        raise bad_field(field, f"this circuit has room for {_most(shape)} numbers")
