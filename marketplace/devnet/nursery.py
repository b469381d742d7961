"""Nodes forked from one process that has loaded what they all need: ten of them on a machine load torch once.

They start in a moment and share the libraries' memory. Nothing else is shared: each has its own environment, files and
signals from its first line on. On other machines nodes load for themselves, so times of a start are not those of here.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from marketplace.devnet.processes import dies_with_parent

_COMMAND = "fairshare"
_FIRST, _LAST = "marketplace.devnet.preloading", "marketplace.devnet.preloaded"


class Forked:
    """A forked node, with what its keeper needs of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        """Exit status, minus the signal's number where one ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As `returncode`."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended; subprocess.TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(_COMMAND, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended."""
        if self._process.exitcode is None and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


class Nursery:
    """Starts nodes. `preloaded`: modules that the first process imports; none may start a thread."""

    def __init__(self, preloaded: Sequence[str]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_FIRST, *preloaded, _LAST])
        forkserver.ensure_running()  # it loads while its keeper sets up everything else

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], words: Path) -> Forked:
        """`fairshare ARGUMENTS` in a session of its own; what it says is written to `words`."""
        process = self._context.Process(target=_live, args=(tuple(arguments), dict(environment), words))
        process.start()
        return Forked(process)


def _live(arguments: tuple[str, ...], environment: dict[str, str], words: Path) -> None:
    """A node's whole life, in the forked process."""
    os.setsid()
    if (ends_with_parent := dies_with_parent()) is not None:
        ends_with_parent()
    said = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(said, stream.fileno())
    os.close(said)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [_COMMAND, *arguments]
    importlib.import_module("marketplace.cli.main").main()
