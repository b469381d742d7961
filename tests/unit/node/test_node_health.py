"""What the hooks keep, and when a node counts as alive and as ready."""

from __future__ import annotations

import threading

import pytest

from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.telemetry.health import Patience, Probed, alive, ready
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Work
from marketplace.node.telemetry.record import Record
from tests.support.structs import blank

PATIENCE = Patience(idle_s=10, act_s=20, work_s=100, start_s=50, probe_s=30)


class Time:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def reasons(record: Record) -> tuple[str, ...]:
    return alive(record.snapshot(), PATIENCE).reasons


def test_a_loop_that_does_not_turn_is_stalled_until_it_turns_again() -> None:
    time = Time()
    record = Record(time)
    with record.loop("project 1") as turned:
        time.now += 10
        assert reasons(record) == ()
        time.now += 1
        assert reasons(record) == ("project 1: has not turned for 11 s",)
        turned()
        assert reasons(record) == ()
    assert record.snapshot().loops == ()


def test_work_may_take_longer_than_waiting() -> None:
    time = Time()
    record = Record(time)
    with record.loop("project 1"):
        with record.at_work(Work.TRAINING):
            time.now += 100
            assert reasons(record) == ()
            time.now += 1
            assert reasons(record) == ("project 1: training for 101 s",)
        assert reasons(record) == ()
        time.now += 11
        assert reasons(record) == ("project 1: has not turned for 11 s",)
    effort = record.snapshot().efforts[Work.TRAINING]
    assert (effort.times, effort.seconds) == (1, 101.0)


def test_what_a_block_calls_for_may_take_longer_than_waiting_for_one() -> None:
    time = Time()
    record = Record(time)
    with record.loop("project 1") as turned:
        record.saw(1, blank(Project), Block(5, 5, b""))
        time.now += 20
        assert reasons(record) == ()
        with record.at_work(Work.COMMITTING):
            pass
        time.now += 20
        assert reasons(record) == (), "the work was a sign of life, and did not end the look"
        time.now += 1
        assert reasons(record) == ("project 1: has not turned for 21 s",)
        turned()
        time.now += 11
        assert reasons(record) == ("project 1: has not turned for 11 s",)


def test_work_within_work_is_counted_by_itself_and_leaves_the_loop_busy() -> None:
    time = Time()
    record = Record(time)
    with record.loop("project 1"), record.at_work(Work.PROVING):
        time.now += 5
        with record.at_work(Work.FETCHING):
            time.now += 2
        (loop,) = record.snapshot().loops
        assert (loop.busy, loop.busy_since) == (Work.PROVING, 1000.0)
    efforts = record.snapshot().efforts
    assert (efforts[Work.PROVING].seconds, efforts[Work.FETCHING].seconds) == (7.0, 2.0)


def test_waiting_for_another_threads_work_is_not_counted_twice() -> None:
    time = Time()
    record = Record(time)

    def prove() -> None:
        with record.at_work(Work.PROVING):
            time.now += 50

    with record.loop("project 1"), record.waiting(Work.PROVING):
        thread = threading.Thread(target=prove)
        thread.start()
        thread.join()
        assert reasons(record) == ()
    assert record.snapshot().efforts[Work.PROVING].seconds == 50.0


def test_only_a_bug_in_a_loop_speaks_against_the_node() -> None:
    record = Record(Time())
    with record.loop("watch"):
        with pytest.raises(FairshareError), record.loop("project 2"):
            raise FairshareError(Reason.REFUSED, "this account has left")
        with pytest.raises(ZeroDivisionError), record.loop("project 3"):
            raise ZeroDivisionError
        assert reasons(record) == ("project 3: ended by a bug: ZeroDivisionError",)
        errors = {loop.name: loop.error for loop in record.snapshot().loops}
        assert errors == {
            "watch": None,
            "project 2": "this account has left",
            "project 3": "ZeroDivisionError",
        }


def test_a_node_that_never_begins_is_told() -> None:
    time = Time()
    record = Record(time)
    assert reasons(record) == ()
    time.now += 51
    assert reasons(record) == ("no loop runs 51 s after the start",)


@pytest.mark.parametrize(
    ("probed", "said"),
    [
        (None, ["not looked at yet"]),
        (Probed(100.0, balance=5, needed=5), []),
        (Probed(100.0, balance=4, needed=5), ["funds: the account has 4 wei"]),
        (Probed(69.0), ["31 s ago"]),
        (Probed(100.0, chain_problem="away", storage_problem="gone"), ["chain: away", "storage: gone"]),
    ],
)
def test_what_keeps_a_node_from_being_ready(probed: Probed | None, said: list[str]) -> None:
    verdict = ready(probed, 100.0, PATIENCE)
    assert verdict.ok is not bool(said)
    assert len(verdict.reasons) == len(said)
    assert all(words in reason for words, reason in zip(said, verdict.reasons, strict=True))


def test_where_nobody_listens_the_hooks_do_nothing() -> None:
    with NO_TELEMETRY.loop("x") as turned, NO_TELEMETRY.at_work(Work.SENDING):
        turned()
        NO_TELEMETRY.fetched(5)
