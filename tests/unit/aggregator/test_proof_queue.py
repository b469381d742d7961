"""Proofs under way: several at once where there is room, each begun once, and begun anew where it failed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aggregator.proof_queue import LocalProver, ProofQueue
from aggregator.ray_prover import unpacked
from marketplace.errors import FairshareError, Reason
from tests.support.circuits import circuit_cache
from zk import keys, prover
from zk.files import CircuitFiles
from zk.shape import CircuitShape

WAIT_S = 30


@pytest.fixture
def queue() -> Iterator[ProofQueue]:
    made = ProofQueue(LocalProver(cores=2))
    yield made
    made.close()


@pytest.fixture(scope="module")
def files() -> CircuitFiles:
    return keys.build(CircuitShape(3, 4), circuit_cache())


def test_begun_once_and_finished_once(queue: ProofQueue) -> None:
    begun = []
    for _ in range(3):
        queue.begin("a", lambda: begun.append(1) or b"proof")
    assert queue.finish("a") == b"proof"
    assert queue.finish("a") is None
    assert begun == [1]


def test_two_are_made_at_the_same_time(queue: ProofQueue) -> None:
    meeting = threading.Barrier(2, timeout=WAIT_S)  # breaks unless both are there
    for name in ("a", "b"):
        queue.begin(name, lambda: bytes(meeting.wait() * 0))
    assert (queue.finish("b"), queue.finish("a")) == (b"", b"")


def test_what_failed_says_so_and_is_begun_anew(queue: ProofQueue) -> None:
    def fail() -> bytes:
        raise FairshareError(Reason.INTERNAL, "the worker was killed")

    queue.begin("a", fail)
    with pytest.raises(FairshareError, match="killed"):
        queue.finish("a")
    queue.begin("a", lambda: b"proof")
    assert queue.finish("a") == b"proof"


def test_without_memory_for_two_one_waits() -> None:
    prover_here = LocalProver(cores=2, memory=100)
    with prover_here._room(80) as first:
        waiting = threading.Thread(target=lambda: prover_here._room(30).__enter__(), daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert (first, waiting.is_alive()) == (1, True)
    waiting.join(WAIT_S)
    assert not waiting.is_alive()
    with LocalProver(memory=1)._room(80) as running:
        assert running == 1  # too large for any room: tried by itself


def test_proofs_of_two_threads_hold(files: CircuitFiles) -> None:
    rows = [np.arange(4, dtype=np.int16) + slot for slot in range(3)]
    queue = ProofQueue()
    for name in range(2):
        queue.begin(name, lambda: queue.prover.prove(files, rows).proof)
    gram = [int(a.astype(np.int64) @ b) for i, a in enumerate(rows) for b in rows[i:]]
    for name in range(2):
        assert prover.verify(files, queue.finish(name) or b"", gram)
    queue.close()


def test_what_a_cluster_gets_is_held_against_its_hash(
    files: CircuitFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keys.proving_key(files)
    contents = {path.name: path.read_bytes() for path in files.directory.iterdir()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    broken = {**contents, "proving.key": contents["proving.key"][:-1] + b"\0"}
    with pytest.raises(FairshareError) as refused:
        unpacked(hashes, broken)
    assert refused.value.reason is Reason.INTEGRITY
    with pytest.raises(FairshareError):
        unpacked(hashes, {**contents, "../outside": b""})
    there = unpacked(hashes, contents)
    assert (there.shape, there.zero) == (files.shape, files.zero)
    assert unpacked(hashes, {}) == there  # once is enough
    assert list((tmp_path / "fairshare").rglob("tmp*")) == []
