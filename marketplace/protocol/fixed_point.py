"""Fixed point: floats of training to the integers of the protocol and back (docs/protocol.md, "Numbers")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", np.int16, np.int32)

UPDATE_LIMIT = int(np.iinfo(np.int16).max)
MODEL_LIMIT = int(np.iinfo(np.int32).max)


def clip(delta: Floats, norm: float) -> Floats:
    """`delta` scaled down to Euclidean norm `norm` where longer; raises ValueError unless all is finite."""
    if not np.isfinite(delta).all():
        raise ValueError("the update holds NaN or infinity")
    length = float(np.linalg.norm(delta))
    return delta * (norm / length) if length > norm else delta


def quantise(delta: Floats, scale_bits: int, divisor: int) -> NDArray[np.int16]:
    """rint(2^scale_bits * delta / divisor), ties to even, saturated to int16."""
    if not np.isfinite(delta).all():
        raise ValueError("the update holds NaN or infinity")
    scaled = np.rint(np.ldexp(delta, scale_bits) / divisor)
    return np.clip(scaled, -UPDATE_LIMIT, UPDATE_LIMIT).astype(np.int16)


def to_model(weights: Floats, scale_bits: int) -> NDArray[np.int32]:
    """Float weights at scale 2^scale_bits; raises ValueError where one does not fit int32."""
    scaled = np.rint(np.ldexp(weights, scale_bits))
    if not np.isfinite(scaled).all() or np.abs(scaled).max(initial=0) > MODEL_LIMIT:
        raise ValueError("the weights do not fit the model's int32 range at this scale")
    return scaled.astype(np.int32)


def dequantise(model: NDArray[np.integer], scale_bits: int) -> Floats:
    """The float64 weights of an integer model."""
    return np.ldexp(model.astype(np.float64), -scale_bits)


def padded(vector: NDArray[_Number], length: int) -> NDArray[_Number]:
    """`vector` and zeros up to the circuit's `length`: norms and inner products stay what they are."""
    return np.pad(vector, (0, length - vector.size))


def apply_updates(model: NDArray[np.int32], merged: Iterable[NDArray[np.integer]]) -> NDArray[np.int32]:
    """W_t = W_{t-1} + sum of the merged updates; raises ValueError where an entry leaves int32.

    The updates are taken one after another, so that they need not be in memory together.
    """
    total = model.astype(np.int64)
    for update in merged:
        total += update
    if max(int(total.max(initial=0)), -int(total.min(initial=0))) > MODEL_LIMIT:
        raise ValueError("the merged model leaves the int32 range")
    return total.astype(np.int32)
