"""While a proof is made trainers work on the model it is about; what they made counts if the chain has that model."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from aggregator.intake import Desk
from aggregator.proof_queue import LocalProver, ProofQueue
from marketplace.chain.events import ResultPosted, UpdateSubmitted
from marketplace.chain.types import Status
from marketplace.node.previews import Preview
from tests.support.private_trainer import make_private
from tests.support.served_market import Served, served
from tests.support.stepped_market import SLOTS, Ground
from trainer_node import submitting
from trainer_node.ahead import DRAFT
from trainer_node.prepared import Prepared
from trainer_node.privacy_budget import SECRETS, history_in, kept
from zk.curve import Point
from zk.files import CircuitFiles
from zk.prover import UPDATE_LIMIT, Proof, Update

WAIT_S = 30


class Meanwhile(LocalProver):
    """A prover during whose first proofs something happens."""

    def __init__(self, happens: Callable[[], None], times: int = 1) -> None:
        super().__init__(cores=1)
        self.happens, self.times = happens, times

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        self.times -= 1
        if self.times >= 0:
            self.happens()
        return super().prove(files, updates, limit)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often a round was trained for, by round."""
    counted: Counter[int] = Counter()
    honest = submitting.prepare

    def prepare(context: Any, round_: int, *given: Any, **named: Any) -> Prepared:
        counted[round_] += 1
        return honest(context, round_, *given, **named)

    monkeypatch.setattr(submitting, "prepare", prepare)
    return counted


@contextmanager
def some_rounds(ground: Ground, meanwhile: Callable[[Served], None], count: int = 2) -> Iterator[Served]:
    with served(ground, settlement__mode="proved", rounds__count=count, listens=True) as game:
        for duty in game.duties.values():
            duty.proofs = ProofQueue(Meanwhile(lambda: meanwhile(game), count - 1))
        yield game


def look(game: Served) -> None:
    """Trainers see the preview, train, and write down what came of it."""
    game.play.step()
    for trainer in game.play.trainers.values():
        job = trainer.ahead._job
        assert job is not None
        assert job.thread is not None
        job.thread.join(WAIT_S)
        assert job.over
    game.play.step()


def lie_about_models(game: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aggregators announce the initial model, whatever they merged."""
    announce = Desk.announce

    def lie(self: Desk, preview: Preview) -> None:
        before = game.play.aggregators[0].context
        cid = before.spec.initial_model
        announce(self, replace(preview, cid=cid, commitment=Point(*before.terms.initial_model)))

    monkeypatch.setattr(Desk, "announce", lie)


def rounds_paid(game: Served, index: int) -> float:
    """What trainer `index` has spent of its privacy, in rounds."""
    trainer = game.play.trainers[index]
    assert trainer.worker.privacy is not None
    steps = sum(entry.steps for entry in history_in(kept(trainer.journal, game.play.project)))
    return steps / trainer.worker.privacy.policy.a_round.steps


def drafts(game: Served) -> dict[str, bytes]:
    """Digests of what trainers have made for round 2 and not submitted, by trainer."""
    found = {}
    for trainer in game.play.trainers.values():
        draft = Prepared.recall(trainer.journal, game.play.project, 2, DRAFT)
        if draft is not None:
            found[str(trainer.sender.address)] = draft.digest
    return found


def submitted(game: Served) -> dict[str, bytes]:
    events: list[Any] = game.play.events(UpdateSubmitted)
    return {str(event.trainer): event.digest for event in events if event.round == 2}


def results(game: Served) -> list[int]:
    events: list[Any] = game.play.events(ResultPosted)
    return [event.round for event in events]


def test_what_was_trained_ahead_is_submitted(ground: Ground, trained: Counter[int]) -> None:
    made: dict[str, bytes] = {}

    def meanwhile(game: Served) -> None:
        look(game)
        assert results(game) == []
        made.update(drafts(game))
        assert rounds_paid(game, 0) == 2
        assert SECRETS in game.play.trainers[0].journal.names(game.play.project, 2)

    with some_rounds(ground, meanwhile) as game:
        make_private(game.play.trainers[0])
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert len(made) == SLOTS
        assert submitted(game) == made
        assert drafts(game) == {}
        assert rounds_paid(game, 0) == 2
        journal = game.play.trainers[0].journal
        assert all(SECRETS not in journal.names(game.play.project, round_) for round_ in (1, 2))
    assert trained == {1: SLOTS, 2: SLOTS}


def test_a_false_preview_costs_its_work_and_with_noise_its_privacy(
    ground: Ground, trained: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with some_rounds(ground, look) as game:
        lie_about_models(game, monkeypatch)
        make_private(game.play.trainers[0])
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert results(game) == [1, 2]
        assert drafts(game) == {}
        assert rounds_paid(game, 0) == 3
    assert trained == {1: SLOTS, 2: 2 * SLOTS}


@pytest.mark.deep
def test_who_trains_with_noise_pays_for_one_false_preview_and_no_more(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(game: Served) -> None:
        if game.state.round == 1:
            look(game)
            return
        game.play.step()
        working = [trainer.ahead._job is not None for trainer in game.play.trainers.values()]
        assert working == [False] + [True] * (SLOTS - 1)

    with some_rounds(ground, meanwhile, count=3) as game:
        lie_about_models(game, monkeypatch)
        make_private(game.play.trainers[0])
        game.start()
        game.to_the_end()
        assert results(game) == [1, 2, 3]
        assert rounds_paid(game, 0) == 4


def test_killed_trainers_keep_what_is_written_down(ground: Ground, trained: Counter[int]) -> None:
    def meanwhile(game: Served) -> None:
        look(game)
        for index in (0, 1):
            game.play.add_trainer(index)  # killed, and started again with its journal
        game.play.stop_trainer(2)
        game.play.add_trainer(2)
        trainer = game.play.trainers[2]
        with trainer.journal.atomic():  # as if killed just before it was written down
            for name in trainer.journal.names(game.play.project, 2):
                trainer.journal.delete(game.play.project, 2, name)

    with some_rounds(ground, meanwhile) as game:
        game.start()
        game.to_the_end()
        assert results(game) == [1, 2]
        assert len(submitted(game)) == SLOTS
        assert drafts(game) == {}
    assert trained == {1: SLOTS, 2: SLOTS + 1}


class Together(LocalProver):
    """Two proofs, each of which waits until the other is being made as well."""

    def __init__(self) -> None:
        super().__init__(cores=2)
        self.meeting = threading.Barrier(2, timeout=WAIT_S)

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        self.meeting.wait()
        return super().prove(files, updates, limit)


def test_cohorts_are_proved_together_and_posted_in_order(ground: Ground) -> None:
    with served(
        ground, trainers=2 * SLOTS, cohort__cohorts=2, rounds__count=1, settlement__mode="proved"
    ) as game:
        game.duties[0].proofs = ProofQueue(Together())
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        posted: list[Any] = game.play.events(ResultPosted)
        assert sorted(event.cohort for event in posted) == [0, 1]
