"""Hypothesis strategies of rounds: a few small vectors, then cells of G at the edges of the rules. Made to shrink."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from marketplace.protocol.field import FIELD_MODULUS, from_felt
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import BASIS_POINTS, Rules, ScoreRule
from tests.differential.rounds import (
    DUPLICATE_COSINES,
    LARGEST_BOUND,
    SHAPES,
    STRIKE_FACTORS,
    Round,
    cell,
    edges,
    mended,
)

bounds = st.one_of(st.integers(1, 50), st.just(LARGEST_BOUND), st.integers(1, LARGEST_BOUND))
elements = st.integers(0, FIELD_MODULUS - 1).map(from_felt)


@st.composite
def rounds(draw: Any) -> Round:
    """Any round; by default everybody has submitted in the order of the slots."""
    slots, faults = draw(st.sampled_from(SHAPES))
    reference = slots < 16 and draw(st.booleans())
    rules = Rules(
        slots=slots,
        faults=faults,
        max_norm_squared=draw(bounds),
        score_rule=draw(st.sampled_from([ScoreRule.PROJECTION, ScoreRule.COSINE])),
        reference=reference,
        strike_factor=draw(st.sampled_from(STRIKE_FACTORS) | st.integers(0, 2**16 - 1)),
        duplicate_cosine=draw(st.sampled_from(DUPLICATE_COSINES) | st.integers(0, BASIS_POINTS)),
    )
    matrix = draw(_overwritten(rules, draw(_small_gram(slots + reference))))
    if draw(st.booleans()):
        matrix = mended(rules, matrix)
    order = draw(st.permutations(range(slots)))
    absent = draw(st.sets(st.integers(0, slots - 1), max_size=2))
    submitted = [slot for slot in order if slot not in absent]
    positions = [submitted.index(slot) + 1 if slot in submitted else 0 for slot in range(slots)]
    return Round(rules, matrix, tuple(sorted(submitted)), draw(st.booleans()), tuple(positions))


@st.composite
def _small_gram(draw: Any, slots: int) -> Gram:
    """Of vectors taken from a few, so that many are equal."""
    length = draw(st.integers(1, 3))
    entries = st.integers(-5, 5) | st.sampled_from([-32768, -32767, 32767])
    few = draw(st.lists(st.tuples(*[entries] * length), min_size=1, max_size=4))
    return gram([np.array(draw(st.sampled_from(few)), dtype=np.int64) for _ in range(slots)])


@st.composite
def _overwritten(draw: Any, rules: Rules, matrix: Gram) -> Gram:
    """Up to six cells at an edge, the diagonal's first: the others depend on it."""
    slots, triangle = matrix.slots, list(matrix.triangle)
    cells = st.tuples(st.integers(0, slots - 1), st.integers(0, slots - 1)).map(sorted).map(tuple)
    chosen = draw(st.lists(cells, max_size=6, unique=True))
    for i, j in sorted(chosen, key=lambda pair: pair[0] != pair[1]):
        a, b = triangle[cell(slots, i, i)], triangle[cell(slots, j, j)]
        triangle[cell(slots, i, j)] = draw(st.sampled_from(edges(rules, a, b)) | elements)
    return Gram(slots, tuple(from_felt(entry % FIELD_MODULUS) for entry in triangle))
