"""The audit of real projects: settled, running, cancelled, halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketplace.audit import audit
from marketplace.audit.history import History, read_history
from marketplace.audit.money import check_claims, check_conservation
from marketplace.audit.replay import replay
from marketplace.audit.rounds import Outcome
from marketplace.audit.state import check_state
from marketplace.chain.client import MarketClient
from marketplace.chain.types import ChallengeKind, Status
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support.market_run import Play, Stage


def test_a_settled_project_holds(settled: Play, cache: Path) -> None:
    steps: list[str] = []
    report = audit(settled.client, settled.stage.store, settled.project, cache, on_progress=steps.append)
    assert report.ok, report.first_failure
    assert report.exit_status == 0
    assert report.first_failure is None
    names = [check.name for check in report.checks]
    assert len(set(names)) == len(names)
    assert set(names) <= set(steps)
    document = report.to_dict()
    assert set(document) == {"ok", "checks"}
    assert set(document["checks"][0]) == {"name", "ok", "detail"}


def test_the_replay_tells_what_happened(settled: Play) -> None:
    replayed = replay(read_history(settled.client, settled.project))
    outcomes = [round_.outcome for round_ in replayed.rounds]
    assert outcomes == [*[Outcome.SETTLED] * 2, Outcome.SKIPPED, *[Outcome.SETTLED] * 2]
    cohorts = [round_.cohorts[0] for round_ in replayed.rounds]
    assert [len(round_.timeouts) for round_ in replayed.rounds] == [0, 0, 0, 1, 0]
    assert len(replayed.rounds[3].reseals) == 6
    assert [strike.trainer for strike in cohorts[0].strikes] == [run.address_of(settled.trainers[5])]
    assert replayed.rounds[0].model_answer is not None
    assert [answer.slot for answer in cohorts[1].answers] == [1, 4]
    assert cohorts[1].received is not None
    assert cohorts[1].received.positions == (2, 3, 0, 1, 4, 5)  # slot 2's entry is not signed
    assert [silent.slot for silent in cohorts[3].withheld] == [4]
    assert replayed.rounds[3].carried == run.BOND - 2 * run.DEPOSIT
    assert replayed.violations == ()
    assert replayed.state.status is Status.SETTLED


def test_a_doubted_project_holds(doubted: Play, cache: Path) -> None:
    report = audit(doubted.client, doubted.stage.store, doubted.project, cache)
    assert report.ok, report.first_failure
    said = {check.name: check.detail for check in report.checks}
    assert said["round 1: proof"].startswith("unproved: stood unchallenged")
    assert said["round 2: proof"].startswith("answered: a proof was demanded")
    assert said["round 3: proof"] == "unproved: the round was undone"
    assert "round 3: model" not in said
    assert "1 undone" in said["timeline"]
    replayed = replay(read_history(doubted.client, doubted.project))
    assert [round_.outcome for round_ in replayed.rounds[2:4]] == [Outcome.UNDONE, Outcome.VOID]
    by_reference = [
        settled.judgement.by_reference
        for round_ in replayed.rounds
        for cohort in round_.cohorts
        if (settled := cohort.settlement) is not None
    ]
    assert by_reference == [True, True, True, False, False]
    assert replayed.state.last_round == 6


def test_a_drawn_project_holds_so_far(drawn: Play, drawn_history: History, cache: Path) -> None:
    last = max(
        event.block_number for event in drawn_history.events
    )  # others' blocks come after it, and time passes
    report = audit(drawn.client, drawn.stage.store, drawn.project, cache, block=last)
    assert report.ok, report.first_failure
    said = {check.name: check.detail for check in report.checks}
    assert said["round 2, cohort 0: proof"].startswith("unproved so far")
    assert "skipped" in said["round 2, cohort 1: payments"]
    assert said["round 1: step"].endswith("of 2 cohorts together")
    assert "round 2: step" not in said
    assert report.checks[-1].name == "model so far"


@pytest.mark.parametrize("play", ["settled", "doubted", "drawn"])
def test_any_block_can_be_audited_up_to(play: str, request: pytest.FixtureRequest) -> None:
    played: Play = request.getfixturevalue(play)
    whole = read_history(played.client, played.project)
    blocks = sorted({event.block_number for event in whole.events})
    for block in blocks[1::5]:
        at = read_history(played.client, played.project, block=block)
        replayed = replay(at)
        assert replayed.violations == ()
        assert replayed.state == at.state
        assert "storage agrees" in check_state(played.client, at, replayed)
        assert "owed" in check_conservation(at, replayed)
        assert "may claim" in check_claims(played.client, at, replayed)


def test_a_running_project_holds_so_far(stage: Stage, settled: Play, cache: Path) -> None:
    play = run.post(stage, public_account(0))
    run.gather(play)
    run.start(play)
    run.submit_all(play, dict(list(enumerate(run.honest_updates(play, 9)))[:4]))
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert report.checks[-1].name == "model so far"


def test_a_cancelled_project_holds(stage: Stage, settled: Play, cache: Path) -> None:
    """One aggregator leaves, and the first trainer, so that the last one takes over its number."""
    play = run.post(stage, public_account(0))
    run.gather(play, trainers=3, aggregators=2)
    for leaver in (play.trainers[0], play.aggregators[0]):
        run.send(play.client, leaver, play.calls.leave(play.project))
    run.send(play.client, play.owner, play.calls.cancel(play.project))
    results.release(play, play.trainers[1])
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    members = replay(read_history(stage.client, play.project)).members
    assert members.holders == [run.address_of(play.trainers[2]), run.address_of(play.trainers[1])]


def test_a_halted_project_holds(stage: Stage, settled: Play, cache: Path) -> None:
    spec = run.spec_for(stage, scoring={"rule": "reference"})
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    run.submit_all(play, dict(enumerate(run.honest_updates(play, 9))))
    run.time_out(play)
    results.claim(play, play.owner)
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert replay(read_history(stage.client, play.project)).rounds[0].outcome is Outcome.HALTED


def test_a_reveal_bond_that_is_lost_is_shared(stage: Stage, settled: Play, cache: Path) -> None:
    spec = run.spec_for(
        stage, scoring={"rule": "reference"}, settlement={"mode": "on-demand"}, rounds={"count": 1}
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    run.submit_all(play, dict(enumerate(run.honest_updates(play, 9))))
    results.post_result(play, play.aggregators[0])
    results.settle(play)
    results.claim(play, play.trainers[0])
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    state = replay(read_history(stage.client, play.project)).state
    assert (state.bonus, state.revealed) == (run.REVEAL_BOND // 5, False)


def test_an_unanswered_challenge_without_another_aggregator_halts(stage: Stage, cache: Path) -> None:
    spec = run.spec_for(stage, settlement={"mode": "on-demand"}, rounds={"count": 1})
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    run.submit_all(play, dict(enumerate(run.honest_updates(play, 9))))
    results.post_result(play, play.aggregators[0])
    results.challenge(play, public_account(19), ChallengeKind.PROOF)
    asked = audit(stage.client, stage.store, play.project, cache)
    assert asked.ok, asked.first_failure
    assert any("a proof is demanded" in check.detail for check in asked.checks)
    results.undo(play, public_account(19))
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert report.checks[-1].detail == "no result stands: it is the initial model"


def test_two_aggregators_fail_in_a_round_of_two_cohorts(stage: Stage, cache: Path) -> None:
    """The first cohort's result stands: the project is Closing until it can no longer be challenged."""
    spec = run.spec_for(
        stage,
        cohort={"cohorts": 2, "trainers": 12},
        settlement={"mode": "on-demand"},
        reward={"aggregator_fee": str(10**14)},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    for cohort in (0, 1):
        run.submit_all(play, dict(enumerate(run.honest_updates(play, cohort))), cohort)
    results.post_result(play, play.aggregators[0], 1)
    run.time_out(play)
    closing = audit(stage.client, stage.store, play.project, cache)
    assert closing.ok, closing.first_failure
    results.settle(play)
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert replay(read_history(stage.client, play.project)).state.status is Status.HALTED


def test_a_bond_pays_for_answers_and_what_is_not_proved_strikes_nobody(stage: Stage, cache: Path) -> None:
    spec = run.spec_for(
        stage,
        stakes={"aggregator": str(12 * run.DEPOSIT)},
        settlement={"mode": "on-demand"},
        rounds={"count": 1},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play, aggregators=1)
    run.start(play)
    updates = run.honest_updates(play, 9)
    updates[5] = -2 * updates[5]
    run.submit_all(play, dict(enumerate(updates)))
    aggregator = play.aggregators[0]
    run.complain(play, aggregator, (0, 1, 2, 3, 4))
    for slot in range(5):
        run.answer(play, aggregator, slot)
    results.post_result(play, aggregator)
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    replayed = replay(read_history(stage.client, play.project))
    posted = replayed.rounds[0].cohorts[0].posted
    assert posted is not None
    assert posted.struck == 1 << 5
    assert replayed.rounds[0].cohorts[0].strikes == []
    assert replayed.members.locked[run.address_of(aggregator)] == (12 - 5) * run.DEPOSIT


def test_a_list_of_aggregators_is_held_to(stage: Stage, cache: Path) -> None:
    allowed = public_account(13).address.lower()
    play = run.post(stage, public_account(0), run.spec_for(stage, aggregators={"allowed": [allowed]}))
    run.join_as_aggregator(play, public_account(13))
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert any(check.name == "aggregators" for check in report.checks)


def test_an_unknown_project_is_no_audit(settled: Play, cache: Path) -> None:
    with pytest.raises(FairshareError) as caught:
        audit(settled.client, settled.stage.store, 999, cache)
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_silent_chain_cannot_be_checked(settled: Play, cache: Path) -> None:
    with Anvil() as gone:
        url = gone.url
    client = MarketClient(url, settled.client.address, retry_for_s=0.1)
    report = audit(client, settled.stage.store, settled.project, cache)
    assert report.exit_status == 2
    assert [check.ok for check in report.checks] == [None, None]
