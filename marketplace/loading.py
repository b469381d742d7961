"""Loading libraries, which takes most of a node's start."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """For imports: nothing is collected meanwhile, and what is there at the end is looked at no more.

    The collector would go over all modules again and again, a sixth of the time of a start, and find nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
