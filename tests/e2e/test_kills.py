"""Any node may be killed at any moment: the project settles as if nobody had been."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.events import ResultPosted, UpdateSubmitted, fetch
from marketplace.chain.types import Status
from marketplace.learning.data import save_npz
from marketplace.protocol.shares import round_budget
from marketplace.storage.cid import from_digest
from marketplace.updates.manifest import Manifest
from tests.support.audits import assert_audit_holds
from tests.support.circuits import circuit_cache
from tests.support.live_market import (
    PROJECTION,
    SKETCHED,
    SLOTS,
    LiveMarket,
    live_market,
    project_file,
)
from tests.support.live_time import pass_until
from tests.support.outcome import Outcome
from tests.support.processes import Role

SEED = 7
TIMES: dict[str, object] = {
    **PROJECTION,
    "rounds.submit_window": 240,
    "rounds.result_window": 240,
}
# A node that is killed is back before anybody complains or challenges, and the kills fall within the project.
PATIENT: dict[str, object] = {**TIMES, "rounds.answer_window": 120, "rounds.challenge_window": 45}


@pytest.fixture
def trainers() -> int:
    return SLOTS


@pytest.fixture
def market(tmp_path: Path, trainers: int) -> Iterator[LiveMarket]:
    with live_market(tmp_path, circuit_cache(), trainers=trainers, aggregators=trainers // 3) as running:
        yield running


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("rounds", "kills", "trainers"),
    [(1, 3, 3), pytest.param(3, 27, SLOTS, marks=pytest.mark.deep)],
    ids=["short", "long"],
)
def test_a_project_survives_kills_of_every_role(
    market: LiveMarket, tmp_path: Path, rounds: int, kills: int, trainers: int
) -> None:
    count = {
        "rounds.count": rounds,
        "cohort.slots": trainers,
        "cohort.trainers": trainers,
        "cohort.faults": (trainers - 3) // 3,
    }
    quiet = market.run(market.post(project_file(**TIMES, **count)))
    project = market.post(project_file(**PATIENT, **count))
    outcome = _survives(market, tmp_path, project, rounds, kills)
    assert outcome.paid_by_round == quiet.paid_by_round
    assert [r.x for r in outcome.results] == [r.x for r in quiet.results]


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_a_project_on_the_sketch_path_survives_kills_of_every_role(
    market: LiveMarket, tmp_path: Path
) -> None:
    """Its sketches are drawn from the chain, so who is merged is not the same twice; all the rest is."""
    rounds, kills = 2, 18
    project = market.post(project_file(**PATIENT, **SKETCHED, **{"rounds.count": rounds}))
    outcome = _survives(market, tmp_path, project, rounds, kills)
    pot = round_budget(10**18, rounds, 1, 10**16)
    assert all(pot - SLOTS < sum(paid) <= pot for paid in outcome.paid_by_round)
    assert {result.present for result in outcome.results} == {2**SLOTS - 1}


def _survives(market: LiveMarket, folder: Path, project: int, rounds: int, kills: int) -> Outcome:
    """Play a project with the roles in processes that are killed again and again; it ends as it should."""
    market.hand_over()
    roles = _roles(market, project, folder)
    chance = random.Random(SEED)
    try:
        for role in roles:
            role.start()
            _wait_for_join(market, project, role)
        victims = [roles[i % len(roles)] for i in range(kills)]
        chance.shuffle(victims)
        for victim in victims:
            time.sleep(chance.uniform(0.2, 2.5))
            if victim.running:
                victim.kill()
            if not victim.running and not _over(market, project):
                time.sleep(chance.uniform(0, 1))
                victim.start()
        _finish(market, project, roles)
    finally:
        for role in roles:
            role.stop()
    killed = sum(role.kills for role in roles)
    assert killed >= kills * 3 // 4, f"only {killed} kills"
    assert {role.name.split("-")[0] for role in roles if role.kills} == {"trainer", "aggregator", "owner"}

    outcome = market.outcome(project)
    submissions = fetch(market.owner.client, [UpdateSubmitted], project)
    assert len(submissions) == len({(s.round, s.slot) for s in submissions}) == len(market.parts) * rounds
    assert [r.round for r in outcome.results] == list(range(1, rounds + 1))
    assert not outcome.undone
    assert not outcome.withheld
    assert_audit_holds(market, project)
    return outcome


def _roles(market: LiveMarket, project: int, folder: Path) -> list[Role]:
    roles = []
    for name, arguments in _command_lines(market, project, folder).items():
        environment = market.environment(name, folder / "processes" / name)
        roles.append(Role(name, arguments, environment, folder / f"{name}.log"))
    return roles


def _command_lines(market: LiveMarket, project: int, folder: Path) -> dict[str, list[str]]:
    lines = {"owner": ["project", "serve", str(project)]}
    for index in range(len(market.aggregators)):
        lines[f"aggregator-{index}"] = ["aggregator", "run", "--project", str(project)]
    for slot, part in enumerate(market.parts):
        data = folder / f"trainer-{slot}.npz"
        save_npz(data, part)
        lines[f"trainer-{slot}"] = ["trainer", "run", str(project), "--data", str(data), "--seed", str(slot)]
    return lines


def _wait_for_join(market: LiveMarket, project: int, role: Role) -> None:
    """Members join in order, so that trainer i has slot i as in the quiet run."""
    kind, _, index = role.name.partition("-")
    while kind != "owner":
        state = market.owner.client.project(project)
        joined = state.trainer_count if kind == "trainer" else state.aggregator_count
        if joined > int(index):
            return
        assert role.running, role.log.read_text()[-2000:]
        time.sleep(0.2)


def _over(market: LiveMarket, project: int) -> bool:
    return market.owner.client.project(project).status > Status.CLOSING


def _finish(market: LiveMarket, project: int, roles: list[Role]) -> None:
    """Wait for the end; a role that ended with an error is started again, as a service manager would."""
    give_up_at = time.monotonic() + 400
    while not _over(market, project):
        for role in roles:
            if not role.running:
                role.start()
        assert time.monotonic() < give_up_at, "the project does not end"
        state = market.owner.client.project(project)
        if state.status is Status.CLOSING:  # all is done but to wait for challenges, and nobody has one
            pass_until(market.owner.client.web3, state.challenge_deadline)
        time.sleep(0.5)
    for result in fetch(market.owner.client, [ResultPosted], project):
        # before the processes are gone: what the owner has fetched, its node serves from then on
        named = market.owner.store.fetch(from_digest(result.model), max_bytes=1 << 16, timeout_s=60)
        if market.owner.client.terms(project).chunks:
            manifest = Manifest.from_bytes(named)
            for cid in filter(None, (manifest.model, manifest.leaves, manifest.updates)):
                market.owner.store.fetch(cid, max_bytes=1 << 16, timeout_s=60)
