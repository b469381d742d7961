"""Proofs under way: several at once, as far as cores and memory go, each in a process of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from marketplace.node.estimate import estimate_proof
from marketplace.node.machine import SHARE_FOR_PROOFS, memory_bytes
from zk import prover
from zk.files import CircuitFiles
from zk.prover import UPDATE_LIMIT, Proof, Update


class Prover(Protocol):
    """Makes proofs, somewhere; called from several threads at once."""

    at_once: int  # proofs that it makes at the same time

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        """As `zk.prover.prove`."""


class LocalProver:
    """Proofs on this machine. Each has the cores to itself that the others leave it, and none begins without memory."""

    def __init__(self, cores: int | None = None, memory: int | None = None) -> None:
        """`memory`: bytes for all proofs together; without it a share of what the machine has."""
        self.at_once = cores or os.cpu_count() or 1
        self._memory = memory or int(SHARE_FOR_PROOFS * memory_bytes())
        self._taken: list[int] = []
        self._changed = threading.Condition()

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        """As `zk.prover.prove`, when there is room for it."""
        with self._room(estimate_proof(files.shape).memory_bytes) as running:
            return prover.prove(files, updates, limit=limit, threads=max(1, self.at_once // running))

    @contextmanager
    def _room(self, memory: int) -> Iterator[int]:
        """Waits for memory; how many proofs are made at the same time as this one, itself included."""
        with self._changed:
            # One that is larger than all memory is tried by itself: the estimate may be wrong.
            self._changed.wait_for(lambda: not self._taken or sum(self._taken) + memory <= self._memory)
            self._taken.append(memory)
            running = len(self._taken)
        try:
            yield running
        finally:
            with self._changed:
                self._taken.remove(memory)
                self._changed.notify_all()


class ProofQueue:
    """Work that makes and keeps proofs, by what it is for: begun once, however often it is asked for."""

    def __init__(self, prover: Prover | None = None) -> None:
        self.prover: Prover = LocalProver() if prover is None else prover
        self._pool = ThreadPoolExecutor(self.prover.at_once, thread_name_prefix="proof")
        self._begun: dict[Hashable, Future[bytes]] = {}
        self._lock = threading.Lock()

    def begin(self, name: Hashable, work: Callable[[], bytes]) -> None:
        """Start `work` unless what is called `name` is under way."""
        with self._lock:
            if name not in self._begun:
                self._begun[name] = self._pool.submit(work)

    def finish(self, name: Hashable) -> bytes | None:
        """What came of it, waited for; None where nothing of the name was begun. Raises what the work raised.

        Then it is forgotten: work that failed is begun anew when it is asked for again.
        """
        with self._lock:
            future = self._begun.get(name)
        if future is None:
            return None
        try:
            return future.result()
        finally:
            with self._lock:
                self._begun.pop(name, None)

    def close(self) -> None:
        """Begin nothing more; what runs is waited for."""
        self._pool.shutdown(cancel_futures=True)
