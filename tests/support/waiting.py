"""Waiting for what another thread does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

_PAUSE_S = 0.02


def until(condition: Callable[[], bool], *, give_up_s: float = 20.0) -> None:
    """Until another thread has brought it about; the test fails where that takes longer."""
    pause = threading.Event()
    for _ in range(round(give_up_s / _PAUSE_S)):
        if condition():
            return
        pause.wait(_PAUSE_S)
    pytest.fail("it never came")
