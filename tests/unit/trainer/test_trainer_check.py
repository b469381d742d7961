"""`fairshare trainer check` on a real market: a round tried on the current model, and what the chain says of pay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset, save_npz
from marketplace.learning.sources.asked import Reading
from marketplace.learning.sources.loading import load
from marketplace.node import logging
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext, load_project
from marketplace.protocol.shares import round_budget
from tests.support.circuits import circuit_cache
from tests.support.stepped_market import FAULTS, SKETCHED, SLOTS, Ground, iris_part, play
from trainer_node import trial as trials
from trainer_node.check_shown import draw
from trainer_node.data_check import DataCheck, check_data
from trainer_node.prospects import strike_cost
from trainer_node.trial import try_round

CLASSES = 3


@pytest.fixture(scope="module")
def data() -> Dataset:
    return iris_part(0, parts=1)


@pytest.fixture(scope="module")
def context(ground: Ground) -> ProjectContext:
    return context_of(ground, ground.post(training__epochs=10))


def context_of(ground: Ground, project: int) -> ProjectContext:
    client = ground.deployment.client(ground.url).connect()
    return load_project(client, ground.store, project, circuit_cache())  # type: ignore[arg-type]


def checked(context: ProjectContext, folder: Path, data: Dataset) -> DataCheck:
    save_npz(folder / "data.npz", data)
    loaded = load(folder / "data.npz", context.task, Reading(), folder)
    return check_data(context, PeerBook(context, logging.logger()), loaded, 0, "cpu")


def shown(check: DataCheck) -> str:
    console = Console(record=True, width=200, markup=False, highlight=False, soft_wrap=True)
    with console.capture() as captured:
        draw(console, check)
    return captured.get()


def test_sound_data_is_tried_on_the_initial_model(
    context: ProjectContext, tmp_path: Path, data: Dataset
) -> None:
    check = checked(context, tmp_path, data)
    assert check.is_sound
    trial, pay = check.trial, check.pay
    assert trial is not None
    assert pay is not None
    assert (trial.trained_on, trial.held_out) == (120, 30)
    assert trial.loss_before == pytest.approx(np.log(CLASSES))
    assert trial.accuracy_before < 0.5 < 0.85 < trial.accuracy_after
    assert trial.agreement.cosine > 0.8
    terms = context.terms
    assert pay.pot == round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
    assert pay.equal_amount == pay.pot // (SLOTS - FAULTS)
    assert (pay.round, pay.share) == (None, None)
    document = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert document["ok"] is True
    assert document["classes"] == [50, 50, 50]
    assert document["pay"]["pot"] == str(pay.pot)
    text = shown(check)
    assert "the data fits the project" in text
    assert "what nobody can know yet" in text
    assert (pay.stake, pay.strike_cost) == (terms.trainer_stake, strike_cost(terms))
    assert ("at risk" in text) is bool(pay.strike_cost)


def test_large_models_are_tried_as_well(ground: Ground, tmp_path: Path, data: Dataset) -> None:
    context = context_of(ground, ground.post(**SKETCHED, training__epochs=10, training__learning_rate=0.05))
    assert context.is_sketched
    check = checked(context, tmp_path, data)
    assert check.trial is not None
    assert check.trial.accuracy_before < 0.5 < 0.8 < check.trial.accuracy_after


def test_what_is_wrong_is_shown_and_nothing_is_trained(
    context: ProjectContext, tmp_path: Path, data: Dataset
) -> None:
    X = data.X.copy()
    X[4, 1] = np.nan
    check = checked(context, tmp_path, Dataset(X, data.y))
    assert (check.is_sound, check.trial, check.pay) == (False, None, None)
    (problem,) = check.to_dict()["problems"]
    assert (problem["kind"], problem["count"]) == ("not-finite", 1)
    assert problem["first"] == [
        {"file": str(tmp_path / "data.npz"), "row": 5, "column": "X[1]", "says": "nan"}
    ]
    assert "X[1]" in shown(check)
    assert "DOES NOT FIT" in shown(check)


def test_noise_is_told_from_data(context: ProjectContext, tmp_path: Path, data: Dataset) -> None:
    noise = np.random.default_rng(0).permutation(data.y)
    honest, noisy = (checked(context, tmp_path, Dataset(data.X, y)).trial for y in (data.y, noise))
    assert honest is not None
    assert noisy is not None
    assert noisy.agreement.cosine < 0.6 < honest.agreement.cosine
    assert noisy.accuracy_after < 0.6 < honest.accuracy_after


def test_an_update_that_rounds_to_zero_is_said_to_earn_nothing(
    context: ProjectContext, tmp_path: Path, data: Dataset
) -> None:
    coarse = replace(
        context,
        spec=context.spec.model_copy(
            update={"arithmetic": context.spec.arithmetic.model_copy(update={"scale_bits": 1})}
        ),
    )
    trial = try_round(coarse.spec, coarse.task, np.zeros(15), data.rows(np.arange(10)), 0, "cpu")
    assert trial.agreement.norm == 0


def test_a_round_is_tried_on_a_sample_where_data_is_large(
    context: ProjectContext, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "MAX_BYTES", 100 * data.X[:1].nbytes)
    trial = try_round(context.spec, context.task, np.zeros(15), data, 0, "cpu")
    assert trial.is_sample
    assert (trial.rows, trial.trained_on + trial.held_out) == (150, 100)


def test_too_few_rows_to_hold_any_out(context: ProjectContext, data: Dataset) -> None:
    with pytest.raises(FairshareError) as caught:
        try_round(context.spec, context.task, np.zeros(15), data.rows(np.array([0, 1])), 0, "cpu")
    assert caught.value.reason is Reason.BAD_DATA


def test_the_model_of_the_last_result_is_the_one_that_is_tried(
    ground: Ground, tmp_path: Path, data: Dataset
) -> None:
    with play(ground, training__epochs=10) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        boss.post(boss.result(boss.opened()))
        check = checked(context_of(ground, game.project), tmp_path, data)
    assert check.trial is not None
    assert check.trial.accuracy_before > 0.8
    assert check.pay is not None
    assert check.pay.round == 1
    assert check.pay.share is not None
    assert 0.15 < check.pay.share < 0.35  # an equal one is 0.2, and this trainer has all rows
    assert check.pay.amount == int(check.pay.pot * check.pay.share)
