"""Real proofs: exact on random and extreme updates, bound to the commitments, refused when altered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from zk import curve, keys, prover
from zk.commit import Committer
from zk.felts import FIELD
from zk.files import CircuitFiles
from zk.shape import CircuitShape

LOW, HIGH = -(2**15), 2**15 - 1


def exact_gram(updates: list[np.ndarray | None], length: int) -> tuple[int, ...]:
    rows = [[0] * length if update is None else [int(v) for v in update] for update in updates]
    return tuple(
        sum(a * b for a, b in zip(rows[i], rows[j], strict=True))
        for i in range(len(rows))
        for j in range(i, len(rows))
    )


def assert_proven(
    files: CircuitFiles, updates: list[np.ndarray | None], limit: int = prover.UPDATE_LIMIT
) -> None:
    proof = prover.prove(files, updates, limit=limit)
    committer = Committer(files)
    assert proof.gram == exact_gram(updates, files.shape.length)
    assert proof.commitments == tuple(
        committer.zero if update is None else committer.commit(update) for update in updates
    )
    assert b"".join(map(curve.to_bytes, proof.commitments)) == proof.proof[: 64 * files.shape.slots]
    assert len(proof.proof) == files.proof_length
    assert proof.cpu_s > 0
    assert proof.peak_rss_bytes > 0


@pytest.mark.parametrize(("slots", "length"), [(3, 1), (5, 16), (10, 20), (16, 8), (10, 64), (16, 21)])
def test_random_updates_over_several_layouts(cache: Path, slots: int, length: int) -> None:
    rng = np.random.default_rng([slots, length])
    updates: list[np.ndarray | None] = [
        rng.integers(LOW, HIGH, length, dtype=np.int16, endpoint=True) for _ in range(slots)
    ]
    updates[int(rng.integers(slots))] = None
    assert_proven(keys.build(CircuitShape(slots, length), cache), updates)


@pytest.mark.parametrize(
    "updates",
    [
        [np.full(4, LOW), np.full(4, HIGH), np.full(4, LOW)],
        [np.array([HIGH, LOW, HIGH, LOW]), np.array([LOW, HIGH, LOW, HIGH]), np.full(4, HIGH - 1)],
        [np.zeros(4, dtype=np.int16)] * 3,
        [np.array([5, -6, 7, -8])] * 3,
        [None, None, None],
        [None, np.array([1, 0, 0, 0]), np.array([-1, 0, 0, 0])],
    ],
    ids=["extremes", "opposites", "zeros", "all equal", "all absent", "negative"],
)
def test_special_updates(files: CircuitFiles, updates: list[np.ndarray | None]) -> None:
    assert_proven(files, updates)


def test_sketches_are_exact(files: CircuitFiles) -> None:
    """Entries beyond 2^24 and 2^53, which floats would round, and a Gram matrix beyond 2^64."""
    top = prover.SKETCH_LIMIT - 1
    sketches = [
        np.array([top, -top, 2**24 + 1, -(2**24) - 1], dtype=np.int64),
        np.array([1 - top, top, 2**31 + 1, 3], dtype=np.int64),
        np.array([-prover.SKETCH_LIMIT, 1, -1, 0], dtype=np.int64),
    ]
    assert_proven(files, sketches, prover.SKETCH_LIMIT)
    with pytest.raises(FairshareError, match="entries lie in"):
        prover.prove(files, [np.array([top + 1, 0, 0, 0]), None, None], limit=prover.SKETCH_LIMIT)
    with pytest.raises(FairshareError, match="entries lie in"):
        prover.prove(files, sketches)


def test_phases_are_told(files: CircuitFiles) -> None:
    phases: list[str] = []
    prover.prove(files, [None, None, None], on_progress=phases.append)
    assert phases == ["witness", "prove", "verify"]


def test_a_proof_verifies(files: CircuitFiles, proof: prover.Proof) -> None:
    assert prover.verify(files, proof.proof, proof.gram)


@pytest.mark.parametrize("entry", range(6))
def test_an_altered_gram_is_refused(files: CircuitFiles, proof: prover.Proof, entry: int) -> None:
    altered = list(proof.gram)
    altered[entry] += 1
    assert not prover.verify(files, proof.proof, altered)


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.1, 0.4, 0.7, 0.95, 1.0])
def test_an_altered_byte_is_refused(files: CircuitFiles, proof: prover.Proof, fraction: float) -> None:
    altered = bytearray(proof.proof)
    altered[round(fraction * (len(altered) - 1))] ^= 1
    assert not prover.verify(files, bytes(altered), proof.gram)


def test_another_commitment_is_refused(files: CircuitFiles, proof: prover.Proof) -> None:
    other = curve.to_bytes(Committer(files).commit(np.array([9, 9, 9, 9])))
    assert not prover.verify(files, other + proof.proof[64:], proof.gram)
    swapped = proof.proof[64:128] + proof.proof[:64] + proof.proof[128:]
    assert not prover.verify(files, swapped, proof.gram)


def test_wrong_sizes_and_non_elements_are_refused(files: CircuitFiles, proof: prover.Proof) -> None:
    assert not prover.verify(files, proof.proof[:-1], proof.gram)
    assert not prover.verify(files, proof.proof + b"\0", proof.gram)
    assert not prover.verify(files, b"", proof.gram)
    assert not prover.verify(files, proof.proof, proof.gram[:-1])
    assert not prover.verify(files, proof.proof, (proof.gram[0] + FIELD, *proof.gram[1:]))
    assert not prover.verify(files, b"\xff" * files.proof_length, proof.gram)


@pytest.mark.parametrize(
    "updates",
    [
        [None, None],
        [None, None, np.zeros(5, dtype=np.int16)],
        [None, None, np.zeros(4)],
        [None, None, np.array([0, 0, 0, HIGH + 1])],
        [None, None, np.array([0, 0, 0, LOW - 1])],
    ],
    ids=["slots", "length", "dtype", "too high", "too low"],
)
def test_bad_updates_are_refused(files: CircuitFiles, updates: list[np.ndarray | None]) -> None:
    with pytest.raises(FairshareError) as refused:
        prover.prove(files, updates)
    assert refused.value.reason is Reason.BAD_INPUT
