"""Projects of every kind, each once from posting to the last claim, by the daemons of all roles."""

from __future__ import annotations

import pytest

from marketplace.audit import audit
from marketplace.audit.sealed import NO_KEY
from marketplace.chain.events import (
    BatchPosted,
    Challenged,
    Claimed,
    DrawScheduled,
    ReferenceSubmitted,
    UpdatesComplained,
    UpdateSubmitted,
    ValidationRevealed,
    fetch,
)
from marketplace.chain.types import Status
from marketplace.learning.tasks import weights
from marketplace.learning.tasks.frozen_backbone import backbone_of
from marketplace.learning.tasks.mlp import Mlp
from marketplace.node.keyring import KeyRing
from marketplace.node.project import fetch_spec
from marketplace.node.task_files import FOLDER
from marketplace.protocol.shares import round_budget
from marketplace.storage.cid import cid_of
from marketplace.updates.sealing import EncryptionKey
from tests.support.audits import assert_audit_holds
from tests.support.live_market import PROJECTION, LiveMarket, project_file
from tests.support.outcome import Outcome

REWARD, FEE = 10**18, 10**16
SEALED = {"project.visibility": "members", "cohort.slots": 5, "cohort.trainers": 5, "rounds.batch_window": 8}


def run(market: LiveMarket, rounds: int, cohorts: int = 1, **changes: object) -> Outcome:
    """To its end: settled, nobody harmed, nobody owed anything, and the audit holds."""
    client = market.owner.client
    outcome = market.run(market.post(project_file(**{"rounds.count": rounds, **changes})))
    number = outcome.project
    assert client.project(number).status is Status.SETTLED
    for nothing in (outcome.undone, outcome.withheld, outcome.timed_out):
        assert nothing == []
    assert fetch(client, [UpdatesComplained], number) == []
    assert sum(outcome.slashed) == 0
    assert len(outcome.results) == rounds * cohorts
    budget = round_budget(REWARD, rounds, cohorts, FEE) * rounds * cohorts
    assert budget - rounds * client.terms(number).trainers < sum(outcome.paid) <= budget
    assert outcome.claimed == outcome.paid
    assert sum(event.amount for event in fetch(client, [Claimed], number)) == REWARD + (
        client.terms(number).reveal_bond
    )
    assert_audit_holds(market, number)
    return outcome


def test_scored_by_the_owners_reference(market: LiveMarket) -> None:
    slots = {"cohort.slots": 5, "cohort.trainers": 5}
    outcome = run(market, 2, **slots)
    references = fetch(market.owner.client, [ReferenceSubmitted], outcome.project)
    assert [event.round for event in references] == [1, 2]
    assert len(fetch(market.owner.client, [ValidationRevealed], outcome.project)) == 1


@pytest.mark.deep
def test_proved_on_demand_only(market: LiveMarket) -> None:
    outcome = run(market, 2, **PROJECTION, **{"settlement.mode": "on-demand"})
    assert fetch(market.owner.client, [Challenged], outcome.project) == []


@pytest.mark.deep
def test_two_cohorts_whose_seats_are_drawn(market: LiveMarket) -> None:
    three = {"cohort.slots": 3, "cohort.faults": 0, "cohort.cohorts": 2, "cohort.trainers": 6}
    outcome = run(market, 2, 2, **PROJECTION, **three)
    client = market.owner.client
    assert len(fetch(client, [DrawScheduled], outcome.project)) == 1
    submissions = fetch(client, [UpdateSubmitted], outcome.project)
    seats = [
        {event.trainer: (event.cohort, event.slot) for event in submissions if event.round == round_}
        for round_ in (1, 2)
    ]
    assert all(len(set(seated.values())) == 6 for seated in seats)
    assert [(result.round, result.cohort) for result in outcome.results].count((1, 0)) == 1


@pytest.mark.deep
def test_submitted_in_a_batch(market: LiveMarket) -> None:
    outcome = run(market, 1, **PROJECTION, **{"rounds.batch_window": 8})
    client = market.owner.client
    assert [event.slots for event in fetch(client, [BatchPosted], outcome.project)] == [0b111111]
    assert fetch(client, [UpdateSubmitted], outcome.project) == []
    assert [result.present for result in outcome.results] == [0b111111]


@pytest.mark.deep
def test_with_models_for_its_members_only(market: LiveMarket) -> None:
    """With references and previews: everybody trains on what only members open. A key for each project is left."""
    first = market.run(market.post(project_file(**SEALED)))
    client, store, cache = market.owner.client, market.owner.store, market.owner.cache
    assert client.project(first.project).status is Status.SETTLED
    assert (first.undone, first.withheld, len(first.results)) == ([], [], 2)
    assert fetch(client, [Challenged], first.project) == []
    report = audit(client, store, first.project, cache)
    assert {check.ok for check in report.checks} == {True, None}
    assert {check.detail for check in report.checks if check.ok is None} == {NO_KEY}
    (owner,) = [key for key in KeyRing(market.owner.home).kept() if key.project is None]
    trainer = KeyRing(market.trainers[0].home).of_project(first.project, None)
    for key in (EncryptionKey.load(owner.path), trainer):
        report = audit(client, store, first.project, cache, keys=(key,))
        assert report.ok, report.first_failure
    kept = [list(KeyRing(session.home).kept()) for session in market.aggregators]
    assert not any(key.project == first.project for keys in kept for key in keys)


@pytest.mark.deep
def test_on_a_backbone_that_is_named_by_its_hash(market: LiveMarket) -> None:
    network = Mlp(4, 3, 8, 1, False, 0)
    content = weights.write(backbone_of(network, network.initial(1)))
    (market.folder / "backbone.safetensors").write_bytes(content)
    task = {
        "task.kind": "frozen-backbone",
        "task.network": "mlp",
        "task.hidden": 8,
        "task.backbone_file": "../backbone.safetensors",  # from the project's folder
    }
    outcome = run(market, 2, **task, **{"cohort.slots": 5, "cohort.trainers": 5})
    spec = fetch_spec(market.owner.store, market.owner.client.terms(outcome.project).spec)
    assert spec.task.options["backbone_cid"] == cid_of(content)
    assert (market.owner.cache / FOLDER / cid_of(content)).read_bytes() == content
