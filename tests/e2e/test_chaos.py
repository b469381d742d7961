"""Everything goes wrong at once: a project settles, pays and audits as if nothing had."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from marketplace.audit import audit
from marketplace.chain.events import (
    AggregatorTimedOut,
    BatchPosted,
    ChallengeAnswered,
    Challenged,
    RoundOpened,
    RoundSkipped,
    RoundUndone,
    SketchDrawn,
    TrainerStruck,
    UpdatesComplained,
    UpdateSubmitted,
    fetch,
)
from marketplace.chain.types import Address, ChallengeKind, Status
from marketplace.devnet import accounts
from marketplace.errors import EXIT_STATUS
from marketplace.node import logging
from marketplace.node.lifecycle import TRANSIENT
from marketplace.node.seats import cohort_trainers
from marketplace.protocol.krum import members
from marketplace.protocol.shares import round_budget
from marketplace.spec import ProjectFile
from tests.support.chaos.absence import OWNER, Away
from tests.support.chaos.books import assert_money_adds_up, assert_nothing_twice, journals_below
from tests.support.chaos.ground import Ground, ground
from tests.support.chaos.leftovers import assert_nothing_left
from tests.support.chaos.plan import IN_TURN, Amount, Kind, plan
from tests.support.chaos.play import Played, play
from tests.support.circuits import circuit_cache
from tests.support.live_market import live_market, project_file
from tests.support.outcome import Outcome, outcome_of

SEED = int(os.environ.get("FAIRSHARE_CHAOS_SEED", "20"))
TRAINERS, FAULTS, AGGREGATORS = 8, 2, 3
REWARD, FEE = 10**18, 10**16  # as the template has them
ENDPOINTS = ("A", "B")
MAY_PASS = {EXIT_STATUS[reason] for reason in TRANSIENT}  # that a node may end with as it starts
READY_S = 60  # of block time, for which a process that was just started is excused
QUIET = {"submit": 240, "result": 240}
# Leaps of time shorten them (`play`), so that only who is away for long misses one.
WIDE = {"join": 1800, "submit": 900, "answer": 600, "result": 900, "challenge": 600}
SHORT = Amount(kills=16, reorganisations=3, drops=2, stalls=2, storage_restarts=2)
MIDDLING = Amount(kills=40, reorganisations=8, drops=3, stalls=3, storage_restarts=3)
LONG = Amount(kills=200, reorganisations=20, drops=10, stalls=10, storage_restarts=10)


# 1,603 parameters in 7 chunks, sketches of 256 numbers
SKETCHED: dict[str, object] = {
    "task.kind": "mlp",
    "task.hidden": 200,
    "arithmetic.path": "sketch",
    "arithmetic.width": 256,
    "arithmetic.chunk_length": 256,
}
# The other ways to play a project. `demanded`: results stand unproved until somebody asks for the proof.
WAYS: dict[str, dict[str, object]] = {
    "sketch": SKETCHED,
    "cohorts": {
        "cohort.slots": 5,
        "cohort.faults": 1,
        "cohort.cohorts": 2,
        "cohort.trainers": 11,
        "scoring.strike_factor": 0,  # eleven rows each, five to a cohort: who is honest may be far from the others
    },
    "batches": {"rounds.batch_window": 40},
    "demanded": {"settlement.mode": "on-demand"},
}
OPTIONS = {"demanded": ("--demand-rate", "0.2")}  # of trainers
# One update more or less than the least that is merged, seven of eight; a reference; an aggregator.
AWAY = (
    Away(1, ("trainer-3",)),
    Away(2, (IN_TURN,)),
    Away(3, (OWNER,)),
    Away(4, ("trainer-1", "trainer-6")),
)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("rounds", "amount"), [(2, SHORT), (10, LONG)], ids=["short", "long"])
def test_a_project_survives_everything_at_once(tmp_path: Path, rounds: int, amount: Amount) -> None:
    with live_market(
        tmp_path / "quiet", circuit_cache(), trainers=TRAINERS, aggregators=AGGREGATORS
    ) as market:
        quiet = market.run(market.post(_file(rounds, QUIET)), timeout_s=600)
    with _survived(tmp_path, _file(rounds, WIDE), rounds, amount) as (stage, played, absent):
        outcome = outcome_of(stage.client, played.project)
        alike = min((round_ - 1 for round_, _ in absent), default=rounds)  # what follows is of other updates
        _assert_paid_as(quiet, outcome, stage.accounts, alike)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_a_project_of_another_kind_survives_as_well(tmp_path: Path, way: str) -> None:
    """Its pay follows draws by hashes of blocks, or who was in time, so there is no other run to compare it with."""
    rounds, file = 3, _file(3, WIDE, **WAYS[way])
    cohorts = file.cohort.cohorts
    with _survived(tmp_path, file, rounds, MIDDLING, OPTIONS.get(way, ())) as (stage, played, _):
        client, project = stage.client, played.project
        drawn = fetch(client, [SketchDrawn], project)
        assert [event.round for event in drawn] == ([1, 2, 3] if way == "sketch" else [])
        assert bool(fetch(client, [BatchPosted], project)) is (way == "batches")
        assert bool(fetch(client, [Challenged], project)) is (way == "demanded")
        assert client.project(project).drawn is (way == "cohorts")
        outcome = outcome_of(client, project)
        assert [result.round for result in outcome.results] == sorted([1, 2, 3] * cohorts)
        budget = cohorts * round_budget(REWARD, rounds, cohorts, FEE)
        assert all(0 < sum(of_round) <= budget for of_round in outcome.paid_by_round)
        assert not outcome.undone
        assert not outcome.withheld


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", ["exact", "sketch"])
def test_a_project_goes_on_without_whoever_is_kept_away(tmp_path: Path, way: str) -> None:
    rounds = 8  # four more than somebody is kept from: who was too quick is kept from a later one
    file = _file(rounds, WIDE, **(SKETCHED if way == "sketch" else {}))
    with _survived(tmp_path, file, rounds, MIDDLING, away=AWAY) as (stage, played, absent):
        client, project = stage.client, played.project
        at = {away.who: round_ for round_, away in zip(_rounds_of(played), AWAY, strict=True)}
        gone = [(round_, name) for round_, name in played.missed if name.startswith("trainer")]
        assert sorted(absent) == sorted(gone)
        (timed_out,) = fetch(client, [AggregatorTimedOut], project)
        assert (timed_out.round, timed_out.slashed) == (
            at[(IN_TURN,)],
            client.terms(project).aggregator_bond,
        )
        (skipped,) = fetch(client, [RoundSkipped], project)
        assert skipped.round == at["trainer-1", "trainer-6"]
        outcome = outcome_of(client, project)
        merged = [round_ for round_ in range(1, rounds + 1) if round_ != skipped.round]
        assert [result.round for result in outcome.results] == merged
        assert outcome.results[-1].aggregator != timed_out.aggregator
        number = {
            name: outcome.trainers.index(account)
            for name, account in stage.accounts.items()
            if "trainer" in name
        }
        for round_ in merged:
            unpaid = {index for index, amount in enumerate(outcome.paid_by_round[round_ - 1]) if not amount}
            assert {number[name] for of, name in gone if of == round_} <= unpaid
        assert not any(outcome.slashed)


def _rounds_of(played: Played) -> list[int]:
    """In which round each of AWAY missed its part: not always the first in which it was to."""
    return list(dict.fromkeys(round_ for round_, _ in played.missed))


@contextmanager
def _survived(
    tmp_path: Path,
    file: ProjectFile,
    rounds: int,
    amount: Amount,
    options: Sequence[str] = (),
    away: Sequence[Away] = (),
) -> Iterator[tuple[Ground, Played, list[tuple[int, str]]]]:
    """The project after all of it, settled and audited, with who was absent; nobody was accused, nothing was lost.

    But who was kept `away`, if it is an aggregator, for that.
    """
    print(f"FAIRSHARE_CHAOS_SEED={SEED}")
    logging.configure(file=tmp_path / "log.jsonl")
    names = accounts.names(file.cohort.trainers, AGGREGATORS)
    acts = plan(SEED, rounds, names, ENDPOINTS, amount)
    with ground(tmp_path / "chaos", tmp_path / "keys", circuit_cache(), names) as stage:
        played = play(stage, file, AGGREGATORS, acts, SEED, options, away)
        print(
            played.record.counts(),
            played.record.targets(Kind.REORGANISE),
            f"{played.seconds:.0f} s",
            *played.record.ended,
            sep="\n",
        )
        _assert_it_was_chaos(played, amount)
        assert {status for _, status, _ in played.record.ended} <= MAY_PASS
        assert_nothing_left(stage.folder)
        assert stage.client.project(played.project).status is Status.SETTLED
        absent = _absences(stage, played, rounds)
        print(f"absent: {absent}")
        assert not fetch(stage.client, [UpdatesComplained, TrainerStruck, RoundUndone], played.project)
        late = {event.aggregator for event in fetch(stage.client, [AggregatorTimedOut], played.project)}
        assert late == {stage.accounts[name] for _, name in played.missed if name.startswith("aggregator")}
        challenged = fetch(stage.client, [Challenged], played.project)
        answered = fetch(stage.client, [ChallengeAnswered], played.project)
        assert len(challenged) == len(answered)
        asked = {ChallengeKind.PROOF} if options else set()  # by lot, whatever the result
        assert {event.kind for event in challenged} <= asked
        assert_nothing_twice(stage.client, played.project, journals_below(stage.folder, stage.accounts))
        assert_money_adds_up(stage.client, played.project)
        report = audit(stage.client, stage.store(), played.project, stage.cache)
        assert report.ok, report.first_failure
        yield stage, played, absent


def _file(rounds: int, windows: Mapping[str, int], **changes: object) -> ProjectFile:
    return project_file(
        **{
            "cohort.slots": TRAINERS,
            "cohort.trainers": TRAINERS,
            "cohort.faults": FAULTS,
            "rounds.count": rounds,
            **{f"rounds.{name}_window": seconds for name, seconds in windows.items()},
            **changes,
        }
    )


def _assert_it_was_chaos(played: Played, amount: Amount) -> None:
    done = played.record.counts()
    assert done[Kind.KILL] >= amount.kills
    assert done[Kind.REORGANISE] == amount.reorganisations
    assert done[Kind.DROP] + done[Kind.STALL] == amount.drops + amount.stalls
    assert done[Kind.RESTART_STORAGE] == amount.storage_restarts


def _absences(stage: Ground, played: Played, rounds: int) -> list[tuple[int, str]]:
    """Who had a seat and submitted nothing in which round; fails for who was up at that round's deadline."""
    client, project = stage.client, played.project
    state, slots = client.project(project), client.terms(project).slots
    there = {(e.round, e.cohort, e.slot) for e in fetch(client, [UpdateSubmitted], project)}
    for batch in fetch(client, [BatchPosted], project):
        there |= {(batch.round, batch.cohort, slot) for slot in members(batch.slots)}
    deadlines = {event.round: event.submit_deadline for event in fetch(client, [RoundOpened], project)}
    assert set(deadlines) == set(range(1, rounds + 1))
    names = {account: name for name, account in stage.accounts.items()}
    absent = [
        (round_, names[holder])
        for round_ in deadlines
        for cohort in range(state.cohorts)
        for slot, holder in enumerate(cohort_trainers(client, project, state, slots, round_, cohort))
        if holder is not None and (round_, cohort, slot) not in there
    ]
    blamed = [(r, name) for r, name in absent if not played.record.was_down(name, deadlines[r], READY_S)]
    assert not blamed, f"up, and absent: {blamed}"
    return absent


def _assert_paid_as(quiet: Outcome, outcome: Outcome, by_name: Mapping[str, Address], alike: int) -> None:
    """Every trainer in the first `alike` rounds; of later ones the pot is paid.

    In the quiet run trainer i has number i; here who joined first.
    """
    order = [outcome.trainers.index(by_name[f"trainer-{index}"]) for index in range(TRAINERS)]
    paid = [[of_round[number] for number in order] for of_round in outcome.paid_by_round]
    assert paid[:alike] == quiet.paid_by_round[:alike]
    assert [each.x for each in outcome.results[:alike]] == [each.x for each in quiet.results[:alike]]
    assert [result.round for result in outcome.results] == list(range(1, len(paid) + 1))
    pot = round_budget(REWARD, len(paid), 1, FEE)
    # by the reference and by the fallback: each of the two parts is rounded down for each trainer
    assert all(pot - 2 * TRAINERS < sum(of_round) <= pot for of_round in paid)
    assert not outcome.undone
    assert not outcome.withheld
