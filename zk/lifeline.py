"""A helper process that does not outlive the one that started it, and finds the same code."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ends this process when process `parent`, which started it, is gone, or when stdin, a pipe from it, closes."""
    if (
        sys.platform == "linux"
    ):  # a library may hold Python's lock for seconds, so the thread below comes late
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    threading.Thread(target=_watch_stdin, daemon=True).start()


def package_path() -> str:
    """PYTHONPATH with which a helper imports what this process does."""
    package_root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([package_root, inherited] if inherited else [package_root])


def _watch_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)
