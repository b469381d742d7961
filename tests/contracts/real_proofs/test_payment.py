"""Rounds with real proofs through the market: what is earned, struck, recorded and merged is what Python says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from marketplace.chain.events import ResultPosted, TrainerStruck, fetch
from marketplace.chain.types import ScoreRule
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.protocol import shares
from marketplace.protocol.krum import Judgement, mask
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support.circuits import circuit_cache
from zk.commit import Committer

INPUTS, FEATURES, CLASSES = 6, 3, 2


@pytest.fixture(scope="module")
def stage() -> Iterator[run.Stage]:
    with Anvil(accounts=20) as anvil:
        yield run.set_stage(anvil.url, circuit_cache(), slots=INPUTS, length=(FEATURES + 1) * CLASSES)


@pytest.mark.parametrize("rule", list(ScoreRule), ids=lambda rule: rule.name.lower())
def test_two_rounds_are_settled_as_python_says(stage: run.Stage, rule: ScoreRule) -> None:
    """Slot 0 is struck in both rounds, and in the second one slot 3 copies slot 1."""
    spec = run.spec_for(
        stage,
        task={"features": FEATURES, "classes": CLASSES},
        rounds={"count": 2},
        scoring={"rule": rule.name.lower()},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    client, terms = play.client, play.terms
    trainers = [run.address_of(account) for account in play.trainers]
    before = [client.trainer_record(trainer).contribution for trainer in trainers]
    stakes, earned = [terms.trainer_stake] * terms.slots, [0] * terms.slots

    for round_ in (1, 2):
        updates = run.honest_updates(play, round_)
        updates[0] = (-2 * updates[0]).astype(np.int16)
        if round_ == 2:
            updates[3] = updates[1]
        if rule is ScoreRule.REFERENCE:
            run.submit_reference(play, updates[2] // 2)
        run.submit_all(play, dict(enumerate(updates)))
        verdict = results.judged(play)
        results.post_result(play, play.aggregators[0])

        losses = _losses(play, verdict, stakes)
        struck = [event for event in fetch(client, [TrainerStruck], play.project) if event.round == round_]
        assert [(event.trainer, event.slashed) for event in struck] == [
            (trainers[slot], losses[slot]) for slot in verdict.struck
        ]
        assert 0 in verdict.struck

        budget = shares.round_budget(terms.reward, terms.rounds, 1, terms.aggregator_fee)
        amounts = shares.amounts(verdict, budget + sum(losses), terms.reference_share)
        posted = fetch(client, [ResultPosted], play.project)[-1]
        assert posted.amounts == amounts
        assert (posted.merged, posted.struck) == (mask(verdict.merged), mask(verdict.struck))
        assert sum(amount > 0 for amount in amounts) == len(verdict.merged) - (round_ == 2)
        assert verdict.by_reference is (rule is ScoreRule.REFERENCE)
        earned = [total + amount for total, amount in zip(earned, amounts, strict=True)]

    if rule is ScoreRule.REFERENCE:
        results.reveal(play)
    results.settle(play)
    assert [client.claimable(play.project, trainer) for trainer in trainers] == earned
    assert [client.membership(play.project, trainer).locked for trainer in trainers] == stakes
    for account in play.trainers:
        results.release(play, account)
    assert [client.trainer_record(trainer).contribution for trainer in trainers] == [
        known + shares.contribution_units(total, terms.rounds, terms.reward)
        for known, total in zip(before, earned, strict=True)
    ]
    assert client.project(play.project).model == Committer(stage.files).commit(play.model)


def _losses(play: run.Play, verdict: Judgement, stakes: list[int]) -> list[int]:
    """What strikes take by slot; `stakes` goes down by it."""
    losses = [0] * len(stakes)
    for slot in verdict.struck:
        losses[slot] = shares.strike_loss(stakes[slot], play.terms.trainer_stake, play.terms.strike_slash)
        stakes[slot] -= losses[slot]
    return losses
