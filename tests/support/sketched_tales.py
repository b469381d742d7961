"""Whole projects on the sketch path, played by hand (`sketched_run`), in which everything happens that can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marketplace.chain.types import ChallengeKind
from marketplace.devnet.anvil import public_account
from marketplace.protocol.field import to_felt
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support import sketched_run as sketched
from tests.support.market_run import WINDOW_S, Play, Stage, Update
from tests.support.sketched_run import Vector
from zk.prover import SKETCH_LIMIT, prove

DOUBTER = 15  # account
LEFT_OUT, SILENT = 4, 5  # slots
UNDONE = 3  # round
REFERENCE = 5  # its slot in the referenced project


def questioned_project(stage: Stage) -> Play:
    """A settled project, proofs on demand.

    Round 1: of its result the sum, a chunk, a slot's sketch and the proof are asked for, and all are shown. 2: slots 1
    and 4 show chunks; 4 is left out all the same, so there is no fee. 3: the sum is answered falsely, refuted, and the
    round undone, with 4 that was under way. 5: by the second aggregator, two slots in a batch, one silent. 6: skipped.
    """
    spec = sketched.spec_for(
        stage, settlement={"mode": "on-demand"}, rounds={"count": 4, "batch_window": WINDOW_S // 3}
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play)
    run.start(play)
    first, second = play.aggregators
    doubter = public_account(DOUBTER)

    updates = _submit(play, 31)
    sketched.post_result(play, first)
    sketched.ask_sum(play, doubter)
    sketched.answer_sketch(play, first, moved_by(play))
    sketched.close(play, doubter)
    sketched.ask(play, doubter, ChallengeKind.CHUNK, chunk=2)
    sketched.show(play, doubter, updates)
    sketched.ask(play, doubter, ChallengeKind.SKETCH, slot=3)
    sketched.answer_sketch(play, first, updates[3])
    sketched.close(play, doubter)
    sketched.ask(play, doubter, ChallengeKind.PROOF)
    _answer_proof(play, [updates[slot] for slot in range(sketched.SLOTS)])

    _submit(play, 32)
    sketched.complain(play, first, {1: 0, LEFT_OUT: 2})
    for slot, chunk in ((1, 0), (LEFT_OUT, 2)):
        sketched.answer(play, play.trainers[slot], slot, chunk)
    sketched.post_result(play, first, left_out=[LEFT_OUT])

    _submit(play, 33)
    sketched.post_result(play, first)
    run.submit(play, 0, run.honest_updates(play, 34)[0])
    sketched.ask_sum(play, doubter)
    values = sketched.answer_sketch(play, first, moved_by(play), shifted=1)
    sketched.refute(play, doubter, values)
    results.undo(play, doubter)

    fifth = dict(enumerate(run.honest_updates(play, 35)))
    run.post_batch(play, second, {slot: fifth.pop(slot) for slot in (0, 1)})
    run.submit_all(play, fifth)
    sketched.complain(play, second, {SILENT: 1})
    run.wait_for_answers(play)
    sketched.post_result(play, second)
    run.skip(play)
    results.settle(play)
    for account in (play.owner, play.trainers[0], second):
        results.claim(play, account)
    return play


def referenced_project(stage: Stage) -> Play:
    """A settled project with references, every result with its proof.

    Round 1: one slot is far off, and struck without a loss of stake. 2: the reference shows a chunk and is left out.
    """
    spec = sketched.spec_for(stage, scoring={"rule": "reference", "strike_factor": 300}, rounds={"count": 2})
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    (boss,) = play.aggregators
    for seed in (41, 42):
        updates = run.honest_updates(play, seed)
        run.submit_reference(play, updates[0])
        updates[0] = (updates[0] + updates[1]) // 2
        updates[3] = (-updates[3]).astype(np.int16)
        run.submit_all(play, dict(enumerate(updates)))
        if seed == 41:
            sketched.post_result(play, boss)
    sketched.complain(play, boss, {REFERENCE: 1})
    sketched.answer(play, play.owner, REFERENCE, 1)
    sketched.post_result(play, boss, left_out=[REFERENCE])
    results.reveal(play)
    results.settle(play)
    return play


def split_project(stage: Stage) -> Play:
    """Two cohorts, on demand: the sum over both is asked for, nobody answers, and no aggregator is left: it halts."""
    spec = sketched.spec_for(
        stage,
        cohort={"cohorts": 2, "trainers": 12},
        settlement={"mode": "on-demand"},
        rounds={"count": 1},
        reward={"aggregator_fee": str(10**14)},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    for cohort in (0, 1):
        run.submit_all(play, dict(enumerate(run.honest_updates(play, 51 + cohort))), cohort)
    for cohort in (1, 0):
        sketched.post_result(play, play.aggregators[0], cohort)
    sketched.ask_sum(play, public_account(DOUBTER))
    return play


def closed_round(stage: Stage) -> tuple[Play, dict[int, Update]]:
    """A round whose window is closed, its seed drawn: a result is due, on demand."""
    spec = sketched.spec_for(stage, settlement={"mode": "on-demand"}, rounds={"count": 2})
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    updates = _submit(play, 61)
    sketched.draw(play)
    return play, updates


def moved_by(play: Play) -> Vector:
    """What the model moved by in the round that can be asked about."""
    before = play.models[play.client.project(play.project).outcome_round]
    return np.subtract(play.model, before, dtype=np.int64)


def _submit(play: Play, seed: int) -> dict[int, Update]:
    updates = dict(enumerate(run.honest_updates(play, seed)))
    run.submit_all(play, updates)
    return updates


def _answer_proof(play: Play, updates: Sequence[Update]) -> None:
    by_seed = sketched.sketcher(play)
    proved = prove(play.stage.files, [by_seed.sketch(update) for update in updates], limit=SKETCH_LIMIT)
    felts = [to_felt(entry) for entry in proved.gram]
    run.send(play.client, play.aggregators[0], play.calls.answerProof(play.project, felts, proved.proof))
