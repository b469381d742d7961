"""Proofs of cohorts' rounds, each made once: a restarted node finds it in its journal."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.kept import Kept
from aggregator.merging import commitments_of, gram_of, inputs_of
from aggregator.path import Input
from aggregator.proof_queue import LocalProver, ProofQueue, Prover
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.telemetry.hooks import Work


def proof_of(
    node: ProjectDaemon,
    round_: int,
    cohort: int,
    updates: Mapping[int, Input],
    limit: int,
    prover: Prover | None = None,
) -> bytes:
    """The proof of the Gram matrix of these updates, by slot; takes the time of a proof where it is not kept.

    `limit`: see `zk.prover.prove`.
    """
    kept = Kept(node.journal, node.context.project, round_)
    found = kept.proof(cohort, set(updates))
    # After a reorganisation a slot may hold another update, or on the sketch path another sketch.
    if found is not None and found.startswith(
        commitments_of(node.context.rules, updates, node.context.committer.zero)
    ):
        return found
    node.log.info("proving", round=round_, cohort=cohort, slots=sorted(updates))
    inputs = range(inputs_of(node.context.rules))
    rows = [updates[slot].update if slot in updates else None for slot in inputs]
    with node.telemetry.at_work(Work.PROVING):
        proof = (prover or LocalProver()).prove(node.context.circuit, rows, limit)
    if proof.gram != gram_of(node.context.rules, updates).triangle:
        raise FairshareError(Reason.INTERNAL, "the circuit's Gram matrix is not the one computed here")
    kept.keep_proof(cohort, set(updates), proof.proof)
    node.log.info(
        "proved",
        round=round_,
        cohort=cohort,
        cpu_s=round(proof.cpu_s, 2),
        wall_s=round(proof.wall_s, 2),
        peak_rss_bytes=proof.peak_rss_bytes,
    )
    return proof.proof


def begin_proof(
    queue: ProofQueue,
    node: ProjectDaemon,
    round_: int,
    cohort: int,
    updates: Mapping[int, Input],
    limit: int,
) -> None:
    """Start what `proof_of` does, beside all else; the proof is in the journal as soon as it is made."""
    given = dict(updates)
    name = _name(node, round_, cohort, given)
    queue.begin(name, lambda: proof_of(node, round_, cohort, given, limit, queue.prover))


def finish_proof(
    queue: ProofQueue, node: ProjectDaemon, round_: int, cohort: int, updates: Mapping[int, Input]
) -> None:
    """Wait for a proof that was begun: `proof_of` then has it at once. Raises what kept it from being made."""
    with node.telemetry.waiting(Work.PROVING):
        queue.finish(_name(node, round_, cohort, updates))


def _name(
    node: ProjectDaemon, round_: int, cohort: int, updates: Mapping[int, Input]
) -> tuple[int, int, int, frozenset[int]]:
    return node.context.project, round_, cohort, frozenset(updates)
