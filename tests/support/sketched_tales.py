"""Whole projects on the sketch path, played by hand (`sketched_run`), in which everything happens that can."""

from __future__ import annotations

import numpy as np

from marketplace.chain.types import ChallengeKind
from marketplace.devnet.anvil import public_account
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support import sketched_run as sketched
from tests.support.market_run import WINDOW_S, Play, Stage, Update
from zk.prover import SKETCH_LIMIT, prove


def questioned_project(stage: Stage) -> Play:
    """A settled project, proofs on demand.

    Round 1: of its result the sum, a chunk, a slot's sketch and the proof are asked for, and all are shown. 2: slots
    1, 4 and 5 are asked for chunks; 5 is silent, 4 is left out, so no fee. 3: the sum is answered falsely, refuted, and
    the round undone, with 4 that was under way. 5: by the second aggregator, two slots in a batch, one far off. Some claim.
    """
    spec = sketched.spec_for(
        stage,
        settlement={"mode": "on-demand"},
        rounds={"count": 3, "batch_window": WINDOW_S // 3},
        cohort={"faults": 1},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play)
    run.start(play)
    first, second = play.aggregators
    doubter = public_account(15)

    updates = _submit(play, 31)
    sketched.post_result(play, first)
    sketched.ask_sum(play, doubter)
    sketched.answer_sketch(play, first, move(play))
    sketched.close(play, doubter)
    sketched.ask(play, doubter, ChallengeKind.CHUNK, chunk=2)
    sketched.show(play, doubter, updates)
    sketched.ask(play, doubter, ChallengeKind.SKETCH, slot=3)
    sketched.answer_sketch(play, first, updates[3])
    sketched.close(play, doubter)
    sketched.ask(play, doubter, ChallengeKind.PROOF)
    rows = [sketched.sketcher(play).sketch(updates[slot]) for slot in range(sketched.SLOTS)]
    _answer_proof(play, rows)

    _submit(play, 32)
    sketched.complain(play, first, {1: 0, 4: 2, 5: 1})
    sketched.answer(play, play.trainers[0], 1, 0)
    sketched.answer(play, play.trainers[4], 4, 2)
    run.wait_for_answers(play)
    return play


def move(play: Play) -> sketched.Vector:
    """What the model moved by in the round that can be asked about."""
    before = play.models[play.client.project(play.project).outcome_round]
    return np.subtract(play.model, before, dtype=np.int64)


def _submit(play: Play, seed: int) -> dict[int, Update]:
    updates = dict(enumerate(run.honest_updates(play, seed)))
    run.submit_all(play, updates)
    return updates


def _answer_proof(play: Play, rows: list[sketched.Vector]) -> None:
    from marketplace.protocol.field import to_felt

    proved = prove(play.stage.files, rows, limit=SKETCH_LIMIT)
    felts = [to_felt(entry) for entry in proved.gram]
    run.send(play.client, play.aggregators[0], play.calls.answerProof(play.project, felts, proved.proof))


__all__ = ["move", "questioned_project", "results"]
