"""Proving and verifying, in a process of their own (`zk.process`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import felts, keys, process
from zk.curve import SIZE, Point, from_bytes
from zk.files import CircuitFiles
from zk.process import Progress
from zk.scratch import scratch
from zk.shape import CircuitShape

Update = NDArray[np.integer[Any]]

UPDATE_LIMIT = 1 << 15  # an update's entries are at least -2^15 and less than 2^15
SKETCH_LIMIT = 1 << 40  # a sketch's are less than 2^40 in size: sums of at most 2^24 entries of an update


@dataclass(frozen=True)
class Proof:
    """A proof that `gram` is the Gram matrix of the updates behind `commitments`.

    `gram` is the upper triangle, row by row, signed. The commitments are the first 64 * K bytes of `proof`.
    `cpu_s`, `peak_rss_bytes` and `wall_s` are the proving process's own.
    """

    proof: bytes
    gram: tuple[int, ...]
    commitments: tuple[Point, ...]
    cpu_s: float
    peak_rss_bytes: int
    wall_s: float


def prove(
    files: CircuitFiles,
    updates: Sequence[Update | None],
    *,
    limit: int = UPDATE_LIMIT,
    threads: int | None = None,
    on_progress: Progress | None = None,
) -> Proof:
    """Proves the Gram matrix of `updates`, one a slot: shape (length,), integers; None where absent.

    Entries lie in [-limit, limit): an update's are int16, a sketch's lie within `SKETCH_LIMIT`. They reach ezkl as
    field elements, so that every int64 is exact (as numbers it would round them to f32).

    Makes the proving key first where it is missing. `threads`: of the process that proves; None: one a core.
    `on_progress` is called with "keys", "witness", "prove" and "verify" as each begins. Raises FairshareError:
    BAD_INPUT for updates out of range, INTERNAL where the worker fails or is killed.
    """
    rows = [
        _checked(files.shape, slot, update, limit) for slot, update in enumerate(_all_slots(files, updates))
    ]
    pk = keys.proving_key(files, on_progress=on_progress)
    with scratch() as directory:
        inputs, witness, proof = (directory / name for name in ("inputs", "witness", "proof"))
        inputs.write_text(json.dumps({"input_data": rows}))
        outcome = process.run(
            "prove",
            {
                "inputs": str(inputs),
                "witness": str(witness),
                "proof": str(proof),
                "settings": str(files.settings),
                "compiled": str(files.compiled),
                "vk": str(files.vk),
                "pk": str(pk),
                "srs": str(files.srs),
            },
            on_progress=on_progress,
            threads=threads,
        )
        document = json.loads(proof.read_text())
    data = bytes(document["proof"])
    if len(data) != files.proof_length:
        raise FairshareError(
            Reason.INTERNAL, f"the proof has {len(data)} bytes, its verifier takes {files.proof_length}"
        )
    return Proof(
        proof=data,
        gram=tuple(felts.decode(felt) for felt in document["instances"][0]),
        commitments=commitments_of(data, files.shape),
        cpu_s=outcome.cpu_s,
        peak_rss_bytes=outcome.peak_rss_bytes,
        wall_s=outcome.wall_s,
    )


def verify(files: CircuitFiles, proof: bytes, gram: Sequence[int]) -> bool:
    """Whether `proof` shows that `gram` (upper triangle, signed) belongs to the commitments it begins with.

    Which commitments these are is for the caller to compare (`commitments_of`).
    """
    if len(proof) != files.proof_length or len(gram) != files.shape.triangle:
        return False
    if any(abs(entry) > felts.FIELD // 2 for entry in gram):
        return False
    document = {
        "protocol": None,
        "instances": [[felts.encode(int(entry)) for entry in gram]],
        "proof": list(proof),
        "hex_proof": "0x" + proof.hex(),
        "split": None,
        "pretty_public_inputs": None,
        "timestamp": None,
        "version": None,
    }
    with scratch() as directory:
        path = directory / "proof"
        path.write_text(json.dumps(document))
        outcome = process.run(
            "verify",
            {"proof": str(path), "settings": str(files.settings), "vk": str(files.vk), "srs": str(files.srs)},
        )
    return bool(outcome.result["ok"])


def commitments_of(proof: bytes, shape: CircuitShape) -> tuple[Point, ...]:
    """The commitments that a proof begins with, by slot; FairshareError(INTEGRITY) for one off the curve."""
    return tuple(from_bytes(proof[SIZE * slot : SIZE * (slot + 1)]) for slot in range(shape.slots))


def _all_slots(files: CircuitFiles, updates: Sequence[Update | None]) -> Sequence[Update | None]:
    if len(updates) != files.shape.slots:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"this circuit takes {files.shape.slots} updates, not {len(updates)}",
            "give None for each absent slot",
        )
    return updates


def _checked(shape: CircuitShape, slot: int, update: Update | None, limit: int) -> list[str]:
    if update is None:
        return [felts.encode(0)] * shape.length
    if update.shape != (shape.length,) or not np.issubdtype(update.dtype, np.integer):
        raise FairshareError(
            Reason.BAD_INPUT,
            f"slot {slot}: an update is {shape.length} integers, not {update.dtype} of shape {update.shape}",
        )
    if int(update.min()) < -limit or int(update.max()) >= limit:
        raise FairshareError(
            Reason.BAD_INPUT, f"slot {slot}: entries lie in [-{limit}, {limit}); these do not"
        )
    return [felts.encode(entry) for entry in update.tolist()]
