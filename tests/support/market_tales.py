"""Whole projects, played by hand (`market_run`), in which everything happens that a project can live through."""

from __future__ import annotations

import numpy as np

from marketplace.chain.types import ChallengeKind
from marketplace.devnet.anvil import public_account
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support.market_run import SLOTS, WINDOW_S, Play, Stage


def eventful_project(stage: Stage) -> Play:
    """A settled project of five rounds, each with its proof.

    Round 1: slot 5 is struck; the model is challenged, and shown. 2: three slots come in a batch, slot 2 without its
    signature; slots 1 and 4 are made to show their updates. 3: skipped for want of a quorum. 4: the first aggregator
    times out, keys are sealed anew, slot 4 withholds its update from the second one. 5: slot 0 is absent, slot 3 copies
    slot 2. Afterwards some claim, some release.
    """
    spec = run.spec_for(stage, rounds={"batch_window": WINDOW_S // 3})
    play = run.post(stage, public_account(0), spec)
    run.gather(play)
    run.start(play)
    first, second = play.aggregators
    trainers = play.trainers

    updates = run.honest_updates(play, 1)
    updates[5] = (-2 * updates[5]).astype(np.int16)
    run.submit_all(play, dict(enumerate(updates)))
    results.post_result(play, first)
    results.challenge(play, trainers[1], ChallengeKind.MODEL)
    results.answer_model(play, first)

    updates = run.honest_updates(play, 2)
    run.submit(play, 3, updates[3])
    run.post_batch(play, first, {0: updates[0], 1: updates[1], 2: updates[2]}, unsigned=(2,))
    run.submit(play, 4, updates[4])
    run.submit(play, 5, updates[5], sign=True)
    run.complain(play, first, (1, 4))
    for slot in (1, 4):
        run.answer(play, trainers[0], slot)
    results.post_result(play, first)

    run.submit_all(play, dict(list(enumerate(run.honest_updates(play, 3)))[:3]))
    run.skip(play)

    run.submit_all(play, dict(enumerate(run.honest_updates(play, 4))))
    run.time_out(play)
    for account in trainers:
        run.reseal(play, account)
    run.complain(play, second, (4,))
    run.wait_for_answers(play)
    results.post_result(play, second)

    updates = run.honest_updates(play, 5)
    updates[3] = updates[2]
    run.submit_all(play, {slot: updates[slot] for slot in range(1, SLOTS)})
    results.post_result(play, second)
    results.settle(play)

    for account in (play.owner, *trainers[:3], second):
        results.claim(play, account)
    for account in (*trainers[2:5], second):
        results.release(play, account)
    return play


def doubted_project(stage: Stage) -> Play:
    """A settled project with references and proofs on demand.

    Round 1 stands unchallenged. Of 2 the proof is demanded, and shown. 3 is challenged for its model, which nobody
    shows: it is undone, and 4 with it. 5 is done by the next aggregator, with the reference withheld; 6 without any
    reference. The validation set is revealed.
    """
    spec = run.spec_for(
        stage, scoring={"rule": "reference"}, settlement={"mode": "on-demand"}, rounds={"count": 4}
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, first_account=3)
    run.start(play)
    first, second = play.aggregators
    doubter = public_account(1)

    _round(play, 11)
    results.post_result(play, first)

    _round(play, 12)
    rows = results.rows_of(play, 0, range(play.terms.slots), True)
    results.post_result(play, first)
    results.challenge(play, doubter, ChallengeKind.PROOF)
    results.answer_proof(play, first, rows)

    _round(play, 13)
    results.post_result(play, first)
    results.challenge(play, doubter, ChallengeKind.MODEL)
    run.submit(play, 0, run.honest_updates(play, 14)[0])
    results.undo(play, doubter)

    _round(play, 15)
    run.complain(play, second, (play.terms.slots,))
    run.wait_for_answers(play)
    results.post_result(play, second)

    run.submit_all(play, dict(enumerate(run.honest_updates(play, 16))))
    results.post_result(play, second)
    results.reveal(play)
    results.settle(play)
    for account in (play.owner, *play.trainers, second):
        results.claim(play, account)
    return play


def drawn_project(stage: Stage) -> Play:
    """A running project of two cohorts whose seats are drawn: 13 trainers for 12 seats, of whom one leaves.

    Round 1: both cohorts have a result. 2: one has, the other is skipped. 3 is under way.
    """
    spec = run.spec_for(
        stage,
        cohort={"cohorts": 2, "trainers": 13},
        settlement={"mode": "on-demand"},
        rounds={"count": 3},
        reward={"aggregator_fee": str(10**14)},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play)
    run.start(play)
    for cohort in (1, 0):
        run.submit_all(play, dict(enumerate(run.honest_updates(play, 21 + cohort))), cohort)
    for cohort in (0, 1):
        results.post_result(play, play.aggregators[0], cohort)

    absent = run.account_in(play, 5, 1)
    run.send(play.client, absent, play.calls.leave(play.project))
    run.submit_all(play, dict(enumerate(run.honest_updates(play, 23))), 0)
    run.submit_all(play, dict(list(enumerate(run.honest_updates(play, 24)))[:3]), 1)
    results.post_result(play, play.aggregators[0], 0)
    run.skip(play, cohort=1)
    here = next(slot for slot in (2, 3) if run.account_in(play, slot, 1) != absent)  # the draw is the chain's
    run.submit(play, here, run.honest_updates(play, 25)[here], 1)
    return play


def _round(play: Play, seed: int) -> None:
    """Everybody submits, and the owner its reference."""
    updates = run.honest_updates(play, seed)
    run.submit_reference(play, updates[0])
    updates[0] = (updates[0] + updates[1]) // 2
    run.submit_all(play, dict(enumerate(updates)))
