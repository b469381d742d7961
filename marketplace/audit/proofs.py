"""What shows that a result's G belongs to its commitments: a proof, verified off chain, or nobody's doubt."""

from __future__ import annotations

from marketplace.audit.history import History
from marketplace.audit.report import failed, unchecked
from marketplace.audit.rounds import CohortReplay, RoundReplay
from marketplace.audit.settlement import inputs
from marketplace.chain.types import Settlement, Status
from marketplace.node.outcomes import statement, statement_of
from marketplace.protocol.field import from_felt
from zk.curve import SIZE
from zk.files import CircuitFiles
from zk.prover import verify


def check_proof(history: History, round_: RoundReplay, cohort: CohortReplay, files: CircuitFiles) -> str:
    """The proof that came with the result, or that a challenge demanded, holds for its G and commitments.

    A result on demand of which nobody demanded the proof is unproved; the line says so, and until when one can.
    """
    result = cohort.result
    if result is None:
        raise unchecked(cohort.unread)
    if history.terms.settlement is Settlement.PROVED:
        _verify(files, result.proof, result.gram)
        return f"proved: the proof of {len(cohort.received.slots) if cohort.received else 0} updates verifies"
    if len(result.proof) != SIZE * inputs(history.terms):
        raise failed(f"the commitments have {len(result.proof)} bytes, not {SIZE * inputs(history.terms)}")
    if cohort.proof is not None:
        answer = history.proofs.get(cohort.proof.transaction_hash, "its transaction was not read")
        if isinstance(answer, str):
            raise unchecked(answer)
        if statement(answer.proof[: len(result.proof)], answer.gram) != statement_of(result):
            raise failed("the proof that was demanded speaks of another Gram matrix or of other commitments")
        _verify(files, answer.proof, answer.gram)
        return "answered: a proof was demanded, and it verifies"
    if round_.undone is not None:
        return "unproved: the round was undone"
    if cohort.demand is not None:
        return f"unproved: a proof is demanded, due until {cohort.demand.deadline}"
    if round_.closed is None or (
        round_.number == history.state.outcome_round
        and history.state.status in (Status.ACTIVE, Status.CLOSING)
        and history.block.timestamp < history.state.challenge_deadline
    ):
        return "unproved so far: a proof can still be demanded"
    return "unproved: stood unchallenged; nobody demanded a proof while one could"


def _verify(files: CircuitFiles, proof: bytes, gram: tuple[int, ...]) -> None:
    if len(proof) != files.proof_length:
        raise failed(f"the proof has {len(proof)} bytes, the circuit's have {files.proof_length}")
    if not verify(files, proof, [from_felt(felt) for felt in gram]):
        raise failed("the proof does not verify")
