"""What ezkl wants of a circuit for a commitment: a verifying key, of which it takes the number of blinding rows.

It prepares the FFTs of that circuit's rows as well, at each call: 20 ms at 2^14 rows, where a chunk takes 2. All our
circuits blind as many rows (`zk.shape.BLINDING_ROWS`), so the smallest one's key serves for them all.
"""

from __future__ import annotations

import functools
from pathlib import Path

from zk import keys
from zk.files import CircuitFiles
from zk.shape import MIN_SLOTS, CircuitShape


@functools.lru_cache(maxsize=16)
def commit_key(cache: Path) -> CircuitFiles:
    """The smallest circuit, of which `vk` and `settings` are meant; made in `cache` once, in some two seconds.

    Nothing is ever proved with it, and its SRS, a test one, is not used.
    """
    return keys.build(CircuitShape(MIN_SLOTS, 1), cache)
