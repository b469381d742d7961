"""Differential privacy on the command line: what is said before joining, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from opacus.accountants import RDPAccountant

from marketplace.chain import keystore
from marketplace.errors import Reason
from marketplace.learning.data import save_npz
from marketplace.node import logging
from marketplace.node.journal import Journal
from marketplace.node.options import Settings
from marketplace.node.session import JOURNAL, role_home
from marketplace.spec.sections import PrivacySection
from tests.e2e.bad_input.ground import Visitor
from tests.support.live_market import SLOTS, iris, project_file
from trainer_node.privacy import Choice, policy_of
from trainer_node.privacy_budget import PrivacyBudget

DELTA = 1e-3
ROWS = len(iris(SLOTS)[0][0])


def private_project(visitor: Visitor) -> int:
    return visitor.ground.project("private", **{"privacy.epsilon": 8.0, "privacy.delta": DELTA})


def data_of(visitor: Visitor) -> Path:
    path = visitor.home / "data.npz"
    save_npz(path, iris(SLOTS)[0][0])
    return path


def test_a_dry_run_says_what_all_rounds_will_cost(visitor: Visitor) -> None:
    project, path = str(private_project(visitor)), str(data_of(visitor))
    arguments = ("trainer", "run", project, "--data", path, "--dp-epsilon", "3")
    said = visitor.call(*arguments, "--dry-run", "--json")
    assert said.status == 0, said.stderr
    told = json.loads(said.stdout)["privacy"]
    file = project_file()
    accountant = RDPAccountant()
    steps = file.training.epochs * -(-ROWS // file.training.batch_size)
    accountant.history = [(told["noise_multiplier"], told["sample_rate"], steps * file.rounds.count)]
    assert told["epsilon_of_all_rounds"] == pytest.approx(accountant.get_epsilon(DELTA))
    assert told["epsilon_budget"] == 3.0
    assert 0.98 * 3.0 < told["epsilon_of_all_rounds"] <= 3.0
    assert told["epsilon_of_a_round"] < told["epsilon_of_all_rounds"]
    assert told["asked_for_by_owner"]
    assert "warning" not in said.stderr


def test_a_project_that_asks_for_none_takes_none_unless_chosen(visitor: Visitor) -> None:
    project, path = str(visitor.ground.project("open")), str(data_of(visitor))
    arguments = ("trainer", "run", project, "--data", path, "--dry-run", "--json")
    assert json.loads(visitor.call(*arguments).stdout)["privacy"] is None
    chosen = visitor.call(*arguments, "--dp-epsilon", "5", "--dp-delta", "0.001", "--dp-noise", "1.5")
    assert json.loads(chosen.stdout)["privacy"]["noise_multiplier"] == 1.5
    assert "warning: the owner asks for no noise" in chosen.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--dp-epsilon", "9"), ["epsilon 9", "8 at most"]),
        (("--dp-delta", "0.01"), ["delta 0.01", "0.001 at most"]),
        (("--dp-epsilon", "0.001"), ["no noise keeps"]),
    ],
)
def test_less_privacy_than_the_projects_is_refused(
    visitor: Visitor, options: tuple[str, ...], named: list[str]
) -> None:
    project, path = str(private_project(visitor)), str(data_of(visitor))
    arguments = ("trainer", "run", project, "--data", path, *options)
    visitor.refused(*arguments, reason=Reason.BAD_INPUT, named=named)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--dp-noise", "1"), ["no privacy budget", "--dp-epsilon"]),
        (("--dp-epsilon", "1", "--dp-delta", "0.06"), ["promises nothing", f"{ROWS} rows"]),
    ],
)
def test_a_choice_that_promises_nothing_is_refused(
    visitor: Visitor, options: tuple[str, ...], named: list[str]
) -> None:
    project, path = str(visitor.ground.project("open")), str(data_of(visitor))
    arguments = ("trainer", "run", project, "--data", path, *options)
    visitor.refused(*arguments, reason=Reason.BAD_INPUT, named=named)


def test_more_rows_than_the_owners_delta_protects(visitor: Visitor) -> None:
    project, path = private_project(visitor), visitor.home / "many.npz"
    rows = iris(SLOTS)[0][0]
    times = int(1 / DELTA) // ROWS + 1
    save_npz(path, rows.rows(np.tile(np.arange(ROWS), times)))
    arguments = ("trainer", "run", str(project), "--data", str(path))
    visitor.refused(*arguments, reason=Reason.BAD_INPUT, named=["delta 0.001 promises nothing"])


def test_status_says_what_was_spent(visitor: Visitor) -> None:
    project, ground = private_project(visitor), visitor.ground
    said = visitor.call("trainer", "status", str(project), "--json")
    assert json.loads(said.stdout)["privacy"] is None
    environment = visitor.environment()
    settings = Settings(
        rpc=ground.rpc,
        market=ground.market,
        storage=ground.storage,
        peers=(),
        keystore=Path(environment["FAIRSHARE_KEYSTORE"]),
        password_file=None,
        state_dir=Path(environment["FAIRSHARE_STATE_DIR"]),
        cache_dir=ground.owner.cache,
    )
    account = keystore.address_in(settings.keystore)
    home = role_home(settings, ground.owner.client, "trainer", account)
    file = project_file()
    policy = policy_of(
        PrivacySection(epsilon=8.0, delta=DELTA), Choice(), file.training, file.rounds.count, ROWS
    )
    assert policy is not None
    with Journal(home / JOURNAL) as journal:
        budget = PrivacyBudget(journal, project, file.rounds.count, Choice(), policy, logging.logger())
        assert budget.pay(1, b"an occasion") is not None
    said = visitor.call("trainer", "status", str(project), "--json")
    told = json.loads(said.stdout)["privacy"]
    assert told["epsilon_spent"] == pytest.approx(policy.epsilon_of_a_round)
    assert told["rounds_left"] == file.rounds.count - 1
    assert "history" not in told
    assert "noise-secrets" not in said.stdout
    assert "epsilon_spent" in visitor.call("trainer", "status", str(project)).stdout
