"""The audit of real projects: settled, running, cancelled, halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketplace.audit import audit
from marketplace.audit.history import read_history
from marketplace.audit.replay import replay
from marketplace.audit.rounds import Outcome
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Status
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
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
    assert outcomes == [Outcome.PROVED, Outcome.PROVED, Outcome.SKIPPED, Outcome.PROVED, Outcome.PROVED]
    assert [len(round_.timeouts) for round_ in replayed.rounds] == [0, 0, 0, 1, 0]
    assert len(replayed.rounds[3].reseals) == 6
    assert [strike.trainer for strike in replayed.rounds[0].strikes] == [settled.trainers[5].address]
    assert replayed.rounds[3].carried == run.BOND
    assert replayed.violations == ()
    assert replayed.state.status is Status.SETTLED


@pytest.mark.parametrize("block", range(2, 70, 9))
def test_any_block_can_be_audited_up_to(settled: Play, block: int) -> None:
    at = read_history(settled.client, settled.project, block=_created_in(settled) + block)
    replayed = replay(at)
    assert replayed.violations == ()
    assert replayed.state == at.state


def test_a_running_project_holds_so_far(stage: Stage, settled: Play, cache: Path) -> None:
    play = run.post(stage, public_account(0))
    run.gather(play)
    run.start(play)
    run.submit_all(play, dict(list(enumerate(run.honest_updates(play, 9)))[:4]))
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert report.checks[-1].name == "model so far"


def test_a_cancelled_project_holds(stage: Stage, settled: Play, cache: Path) -> None:
    play = run.post(stage, public_account(0))
    run.gather(play, trainers=2, aggregators=2)
    leaver = play.trainers[0]
    run.send(play.client, leaver, play.client.market.functions.leave(play.project))
    run.send(play.client, play.aggregators[0], play.client.market.functions.leave(play.project))
    run.send(play.client, play.owner, play.client.market.functions.cancel(play.project))
    run.release(play, play.trainers[1])
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure


def test_a_halted_project_holds(stage: Stage, settled: Play, cache: Path) -> None:
    play = run.post(stage, public_account(0))
    run.gather(play, aggregators=1)
    run.start(play)
    run.submit_all(play, dict(enumerate(run.honest_updates(play, 9))))
    run.time_out(play)
    report = audit(stage.client, stage.store, play.project, cache)
    assert report.ok, report.first_failure
    assert replay(read_history(stage.client, play.project)).rounds[0].outcome is Outcome.HALTED


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


def _created_in(play: Play) -> int:
    return read_history(play.client, play.project).events[0].block_number
