"""A round's proof, verified off chain, and the commitments it begins with."""

from __future__ import annotations

from marketplace.audit.report import failed, unchecked
from marketplace.audit.rounds import RoundReplay
from marketplace.protocol.field import from_felt
from zk.curve import Point
from zk.files import CircuitFiles
from zk.prover import commitments_of, verify


def check_proof(replayed: RoundReplay, files: CircuitFiles) -> str:
    """The proof begins with the submitted commitments (C_0 where a slot is absent or omitted) and holds for G."""
    result = replayed.result
    if result is None:
        raise unchecked(replayed.unread)
    if len(result.proof) != files.proof_length:
        raise failed(f"the proof has {len(result.proof)} bytes, the circuit's have {files.proof_length}")
    for slot, point in enumerate(commitments_of(result.proof, files.shape)):
        submission = None if result.omitted >> slot & 1 else replayed.submission_of(slot)
        due = files.zero if submission is None else Point(submission.x, submission.y)
        if point != due:
            raise failed(f"the proof speaks of another commitment in slot {slot} than the one submitted")
    if not verify(files, result.proof, [from_felt(felt) for felt in result.gram]):
        raise failed("the proof does not verify")
    return f"the proof of {len(replayed.submissions)} commitments and G verifies"
