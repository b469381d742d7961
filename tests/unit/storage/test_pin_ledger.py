"""The ledger of pins: who keeps what, until when, and what a kill between two steps leaves behind."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.reasons import Purpose, Why

MODEL, UPDATE = Why(1, 2, Purpose.MODEL), Why(1, 2, Purpose.UPDATE)


@pytest.fixture
def ledger(tmp_path):
    with PinLedger(tmp_path / "pins.sqlite", "alice") as opened:
        yield opened


def other(ledger, holder="bob"):
    return PinLedger(ledger._path, holder)


def test_a_blob_is_unpinned_when_its_last_reason_ends(ledger):
    unpinned = []
    for why in (MODEL, UPDATE):
        ledger.want("cid", 10, why, bring=False)
    ledger.arrived("cid")
    ledger.end("cid", MODEL, 100)
    assert (ledger.drop(99), ledger.drop(100)) == (0, 1)
    assert ledger.release(unpinned.append) == 0
    ledger.end("cid", UPDATE, 100)
    ledger.drop(100)
    assert (ledger.release(unpinned.append), unpinned) == (1, ["cid"])
    assert not ledger.knows("cid")


def test_another_holder_s_reason_keeps_it(ledger):
    with other(ledger) as bobs:
        ledger.want("cid", 10, MODEL, bring=False)
        bobs.want("cid", 10, MODEL, bring=False)
        ledger.end("cid", MODEL, 1)
        ledger.drop(1)
        assert ledger.release(pytest.fail) == 0
        assert [kept.holder for kept in ledger.kept()] == ["bob"]
        bobs.end("cid", MODEL, 1)
        bobs.drop(1)
        assert bobs.release(lambda cid: None) == 1


def test_what_others_had_pinned_before_is_never_unpinned(ledger):
    ledger.want("cid", 10, MODEL, bring=False, theirs=True)
    ledger.end("cid", MODEL, 1)
    ledger.drop(1)
    assert ledger.release(pytest.fail) == 1
    assert not ledger.knows("cid")


def test_an_unpin_that_fails_is_made_up_for(ledger):
    def fail(cid):
        raise FairshareError(Reason.STORAGE_UNREACHABLE, "down")

    ledger.want("cid", 10, MODEL, until=1, bring=False)
    ledger.drop(1)
    with pytest.raises(FairshareError):
        ledger.release(fail)
    unpinned = []
    assert (ledger.release(unpinned.append), unpinned) == (1, ["cid"])


def test_who_wants_it_while_it_is_unpinned_waits_and_adds_it_after(ledger):
    """In the order unpin, then pin: the other way round it would be lost."""
    done = []
    ledger.want("cid", 10, MODEL, until=1, bring=False)
    ledger.drop(1)
    with other(ledger) as bobs, ThreadPoolExecutor(1) as pool:

        def unpin(cid):
            wanting = pool.submit(bobs.want, cid, 10, MODEL, bring=False)
            wanting.add_done_callback(lambda _: done.append("wanted"))
            with pytest.raises(TimeoutError):
                wanting.result(0.3)
            done.append("unpinned")

        ledger.release(unpin)
    assert done == ["unpinned", "wanted"]
    assert other(ledger).knows("cid")


def test_what_is_being_added_is_not_fetched_unless_it_is_lost(ledger):
    ledger.want("added", 10, MODEL, bring=False)
    ledger.want("brought", 11, MODEL, bring=True)
    assert [(w.cid, w.max_bytes) for w in ledger.wanted()] == [("brought", 11)]
    assert ledger.not_here() == ("added", "brought")
    for cid in ("added", "brought"):
        ledger.arrived(cid)
    assert (ledger.wanted(), ledger.here()) == ((), ("added", "brought"))
    ledger.missing(["added"])
    assert [w.cid for w in ledger.wanted()] == ["added"]
    ledger.want("added", 10, UPDATE, bring=False)
    assert [w.cid for w in ledger.wanted()] == ["added"]


def test_open_projects_are_those_without_an_end(ledger):
    ledger.want("draft", 1, Why(-1, 0, Purpose.DRAFT), until=5, bring=False)
    ledger.want("a", 1, Why(3, 0, Purpose.SPEC), bring=False)
    ledger.want("b", 1, Why(4, 0, Purpose.SPEC), bring=False)
    ledger.end("a", Why(3, 0, Purpose.SPEC), 9)
    assert ledger.open_projects() == (4,)
    assert ledger.open_reasons(4) == (("b", Why(4, 0, Purpose.SPEC)),)


def test_requests_at_the_service_follow_the_reasons(ledger):
    ledger.want("cid", 1, MODEL, bring=False)
    ledger.want("preview", 1, Why(1, 2, Purpose.PREVIEW), bring=False)
    assert ledger.unsent() == ()
    for cid in ("cid", "preview"):
        ledger.arrived(cid)
    assert ledger.unsent() == ("cid",)
    ledger.sent("cid", "request-1")
    assert (ledger.unsent(), ledger.requests(), ledger.stale_requests()) == ((), (("cid", "request-1"),), ())
    ledger.end("cid", MODEL, 1)
    ledger.drop(1)
    assert ledger.stale_requests() == (("cid", "request-1"),)
    ledger.forget_request("cid")
    assert ledger.requests() == ()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "end", "release"]), st.sampled_from("ab"), st.sampled_from([MODEL, UPDATE])
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(steps=_STEPS)
def test_pins_are_always_those_that_somebody_has_a_reason_for(tmp_path_factory, steps):
    pinned, reasons = set(), set()
    with PinLedger(tmp_path_factory.mktemp("ledger") / "pins.sqlite", "alice") as ledger:
        for step, cid, why in steps:
            if step == "want":
                ledger.want(cid, 1, why, bring=False)
                pinned.add(cid)
                ledger.arrived(cid)
                reasons.add((cid, why))
            elif step == "end":
                ledger.end(cid, why, 1)
                ledger.drop(1)
                reasons.discard((cid, why))
            else:
                ledger.release(pinned.remove)
                assert pinned == {cid for cid, _ in reasons}
        assert {(kept.cid, kept.why) for kept in ledger.kept()} == reasons


def test_a_kill_in_the_middle_of_an_unpin_leaves_it_to_be_done_again(tmp_path):
    path = tmp_path / "pins.sqlite"
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from marketplace.storage.pin_ledger import PinLedger\n"
        "from marketplace.storage.reasons import Purpose, Why\n"
        "ledger = PinLedger(Path(sys.argv[1]), 'alice')\n"
        "ledger.want('cid', 1, Why(1, 0, Purpose.SPEC), until=1, bring=False)\n"
        "ledger.drop(1)\n"
        "ledger.release(lambda cid: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    unpinned = []
    with PinLedger(path, "alice") as ledger:
        assert (ledger.release(unpinned.append), unpinned) == (1, ["cid"])


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / "pins.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(FairshareError) as refusal:
        PinLedger(path, "alice")
    assert refusal.value.reason is Reason.INTEGRITY
