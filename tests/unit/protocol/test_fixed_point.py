"""Fixed point: ties, saturation, refusal of NaN, and the exact sum of merged updates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.protocol.field import FIELD_MODULUS, from_felt, to_felt
from marketplace.protocol.fixed_point import (
    UPDATE_LIMIT,
    apply_updates,
    clip,
    dequantise,
    quantise,
    to_model,
)

finite = st.floats(min_value=-1e3, max_value=1e3)


def test_quantise_rounds_half_to_even() -> None:
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5])
    assert quantise(halves, 0, 1).tolist() == [0, 2, 2, 0, -2]


def test_quantise_saturates_symmetrically() -> None:
    assert quantise(np.array([1e9, -1e9]), 12, 8).tolist() == [UPDATE_LIMIT, -UPDATE_LIMIT]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantise(np.array([0.0, bad]), 12, 8)
    with pytest.raises(ValueError, match="NaN or infinity"):
        clip(np.array([0.0, bad]), 1.0)
    with pytest.raises(ValueError, match="int32"):
        to_model(np.array([0.0, bad]), 12)


@given(st.lists(finite, min_size=1, max_size=40), st.floats(min_value=1e-3, max_value=1e3))
def test_clip_keeps_direction_and_bounds_the_norm(values: list[float], norm: float) -> None:
    delta = np.array(values)
    clipped = clip(delta, norm)
    assert np.linalg.norm(clipped) <= norm * (1 + 1e-9) or np.array_equal(clipped, delta)
    assert float(clipped @ delta) >= 0


@given(st.lists(finite, min_size=1, max_size=40), st.integers(min_value=1, max_value=20))
def test_quantising_is_within_half_a_unit(values: list[float], bits: int) -> None:
    delta = np.array(values) / 1e3
    steps = quantise(delta, bits, 1)
    inside = np.abs(np.ldexp(delta, bits)) < UPDATE_LIMIT
    assert np.all(np.abs(steps - np.ldexp(delta, bits))[inside] <= 0.5)


@given(st.lists(finite, min_size=1, max_size=20))
def test_a_model_survives_the_round_trip(values: list[float]) -> None:
    model = to_model(np.array(values), 12)
    assert np.array_equal(to_model(dequantise(model, 12), 12), model)


def test_merged_updates_add_exactly_or_not_at_all() -> None:
    model = np.array([2**31 - 1, -5], dtype=np.int32)
    assert apply_updates(model, [np.array([-3, 4], np.int16), np.array([0, 1], np.int16)]).tolist() == [
        2**31 - 4,
        0,
    ]
    with pytest.raises(ValueError, match="int32"):
        apply_updates(model, [np.array([1, 0], np.int16)])


@given(st.integers(min_value=-(FIELD_MODULUS // 2), max_value=FIELD_MODULUS // 2))
def test_field_elements_round_trip(value: int) -> None:
    assert from_felt(to_felt(value)) == value


def test_numbers_outside_the_field_are_refused() -> None:
    with pytest.raises(ValueError, match="not a field element"):
        from_felt(FIELD_MODULUS)
    with pytest.raises(ValueError, match="does not fit"):
        to_felt(FIELD_MODULUS // 2 + 1)
