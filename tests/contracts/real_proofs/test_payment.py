"""Rounds with real proofs through the market: what is paid, struck, recorded and merged is what Python says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from marketplace.chain.events import TrainerPaid, TrainerStruck, fetch
from marketplace.chain.types import NATIVE_COIN, ScoreRule
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.protocol import shares
from tests.support import market_run as run
from tests.support.circuits import circuit_cache
from zk.commit import Committer

SLOTS, FEATURES, CLASSES = 5, 3, 2


@pytest.fixture(scope="module")
def stage() -> Iterator[run.Stage]:
    with Anvil(accounts=20) as anvil:
        yield run.set_stage(anvil.url, circuit_cache(), slots=SLOTS, length=(FEATURES + 1) * CLASSES)


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
    run.gather(play, trainers=SLOTS, aggregators=1)
    run.start(play)
    client, trainers = play.client, [run.address_of(account) for account in play.trainers]
    before = [client.trainer_record(trainer).contribution for trainer in trainers]
    credits, stakes, earned = [0] * SLOTS, [play.terms.trainer_stake] * SLOTS, [0] * SLOTS
    start = [client.credit_of(NATIVE_COIN, trainer) for trainer in trainers]

    for round_ in (1, 2):
        updates = run.honest_updates(play, round_)
        updates[0] = (-2 * updates[0]).astype(np.int16)
        if round_ == 2:
            updates[3] = updates[1]
        run.submit_all(play, dict(enumerate(updates)))
        verdict = run.judged(play)
        run.post_result(play, play.aggregators[0])

        losses = [0] * SLOTS
        for slot in verdict.struck:
            losses[slot] = shares.strike_loss(stakes[slot], play.terms.trainer_stake, play.terms.strike_slash)
            stakes[slot] -= losses[slot]
        struck = [event for event in fetch(client, [TrainerStruck], play.project) if event.round == round_]
        assert [(event.trainer, event.slashed) for event in struck] == [
            (trainers[slot], losses[slot]) for slot in verdict.struck
        ]
        assert 0 in verdict.struck

        terms = play.terms
        pot = shares.round_budget(terms.reward, terms.rounds, terms.aggregator_fee) + sum(losses)
        amounts = shares.amounts(verdict.contributions, pot)
        paid = [event for event in fetch(client, [TrainerPaid], play.project) if event.round == round_]
        assert [(event.trainer, event.contribution, event.amount) for event in paid] == [
            (trainers[slot], verdict.contributions[slot], amounts[slot])
            for slot in range(SLOTS)
            if verdict.contributions[slot]
        ]
        assert len(paid) == (4 if round_ == 1 else 3)
        credits = [credit + amount for credit, amount in zip(credits, amounts, strict=True)]
        earned = [a + b for a, b in zip(earned, shares.shares(verdict.contributions), strict=True)]

    assert [client.credit_of(NATIVE_COIN, trainer) for trainer in trainers] == [
        a + b for a, b in zip(start, credits, strict=True)
    ]
    assert [client.locked_of(play.project, trainer) for trainer in trainers] == stakes
    assert [client.trainer_record(trainer).contribution for trainer in trainers] == [
        a + b for a, b in zip(before, earned, strict=True)
    ]
    assert client.project(play.project).model == Committer(stage.files).commit(play.model)
