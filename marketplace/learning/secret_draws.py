"""Secret random numbers from 32 bytes: what hides a trainer's data must not be guessed, or found by trying seeds.

torch's CPU generator keeps 32 bits of a seed (at::mt19937), few enough to try; so the bits are SHAKE-256's (FIPS 202).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

SEED_BYTES = 32
_DOMAIN = b"fairshare/secret-draws/v1"


class SecretDraws:
    """A stream of draws that follows from `seed`, 32 secret bytes, alone; no two calls share bits.

    Raises ValueError for a seed of another length.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a secret seed has {SEED_BYTES} bytes, not {len(seed)}")
        self._seed = seed
        self._calls = 0

    def normals(self, size: int) -> NDArray[np.float64]:
        """`size` independent standard normal numbers, by the inverse of the distribution function; none beyond 8.3."""
        from scipy.special import ndtri

        unit = ((self._words(size) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        drawn: NDArray[np.float64] = ndtri(unit)
        return drawn

    def chosen(self, count: int, rate: float) -> NDArray[np.int64]:
        """Which of `count` rows a batch has, ascending: each by itself with probability `rate` (Poisson sampling)."""
        unit = (self._words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.flatnonzero(unit < rate)

    def _words(self, size: int) -> NDArray[np.uint64]:
        call = self._calls.to_bytes(8, "big")
        self._calls += 1
        drawn = hashlib.shake_256(_DOMAIN + self._seed + call).digest(8 * size)
        return np.frombuffer(drawn, dtype="<u8").astype(np.uint64)
