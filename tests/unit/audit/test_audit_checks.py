"""Single checks, and what a report makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.audit.project_files import check_srs
from marketplace.audit.report import AuditReport, Check, failed, run_check, unchecked
from marketplace.audit.settlement import settle
from marketplace.chain.events import UpdateSubmitted
from marketplace.chain.types import NATIVE_COIN, Address, RoundResult, ScoreRule, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.protocol.field import to_felt
from marketplace.protocol.krum import members
from zk.curve import Point

GENERATOR = Point(1, 2)


@given(verdicts=st.lists(st.sampled_from([True, False, None]), max_size=8))
def test_the_first_failure_is_named_before_what_could_not_be_checked(verdicts: list[bool | None]) -> None:
    report = AuditReport(tuple(Check(str(i), ok, "") for i, ok in enumerate(verdicts)))
    expected = 1 if False in verdicts else 2 if None in verdicts else 0
    assert report.exit_status == expected
    assert report.ok == (expected == 0)
    first = report.first_failure
    named = None if expected == 0 else str(verdicts.index(False if expected == 1 else None))
    assert (first.name if first else None) == named


@pytest.mark.parametrize(
    ("error", "ok"),
    [
        (failed("no"), False),
        (unchecked("no"), None),
        (FairshareError(Reason.INTEGRITY, "no"), False),
        (FairshareError(Reason.BAD_SPEC, "no"), False),
        (FairshareError(Reason.TOO_LARGE, "no"), False),
        (FairshareError(Reason.CHAIN_UNREACHABLE, "no"), None),
        (FairshareError(Reason.STORAGE_UNREACHABLE, "no"), None),
        (FairshareError(Reason.TOOL_MISSING, "no"), None),
        (KeyError("no"), False),
        (OverflowError("no"), False),
    ],
)
def test_what_a_check_raises_decides(error: Exception, ok: bool | None) -> None:
    def make() -> str:
        raise error

    assert run_check("name", make).ok is ok


def test_a_test_srs_is_for_local_chains_only() -> None:
    assert "TEST SRS" in check_srs("test", 31337)
    with pytest.raises(FairshareError, match="TEST SRS") as caught:
        check_srs("test", 1)
    assert caught.value.reason is Reason.AUDIT_FAILED
    assert "ceremony" in check_srs("ceremony", 1)


@settings(deadline=None)
@given(
    entries=st.lists(st.integers(-(2**20), 2**20), min_size=15, max_size=15),
    carried=st.integers(0, 2**100),
    stakes=st.lists(st.integers(0, 2**60), min_size=5, max_size=5),
)
def test_a_round_never_gives_more_than_its_pot(entries: list[int], carried: int, stakes: list[int]) -> None:
    diagonal = {0, 5, 9, 12, 14}
    gram = [abs(entry) if place in diagonal else entry for place, entry in enumerate(entries)]
    result = RoundResult(1, 0, 0, 0, 0, bytes(32), (0,) * 5, tuple(to_felt(entry) for entry in gram), b"")
    left = dict(enumerate(stakes))
    settled = settle(_terms(), result, _submissions(), left, carried, GENERATOR, GENERATOR)
    budget = 10**18 // 2 - 10**15
    assert settled.pot == budget + carried + sum(settled.losses.values())
    assert sum(settled.amounts) <= settled.pot
    assert sum(settled.shares) <= 10**6
    assert set(settled.losses) == set(settled.judgement.struck)
    assert all(settled.losses[slot] <= left[slot] for slot in settled.losses)
    assert all(slot in settled.judgement.merged for slot in members(result.merged))


def test_numbers_that_are_no_matrix_are_refused() -> None:
    for gram in ((1,) * 14, (2**256 - 1,) * 15):
        result = RoundResult(1, 0, 0, 0, 0, bytes(32), (0,) * 5, gram, b"")
        with pytest.raises(ValueError, match=r"entries|field"):
            settle(_terms(), result, _submissions(), {}, 0, GENERATOR, GENERATOR)


def _submissions() -> list[UpdateSubmitted]:
    return [
        UpdateSubmitted(1, bytes(32), i, 1, 1, Address(f"0x{i + 1:040x}"), i, i + 1, 1, 2, bytes(32))
        for i in range(5)
    ]


def _terms() -> Terms:
    return Terms(
        token=NATIVE_COIN,
        reward=10**18,
        trainer_stake=10**16,
        aggregator_bond=10**17,
        aggregator_fee=10**15,
        spec=bytes(32),
        circuit=bytes(32),
        slots=5,
        faults=1,
        rounds=2,
        join_window=600,
        submit_window=600,
        result_window=600,
        score_rule=ScoreRule.PROJECTION,
        strike_factor=300,
        strike_slash=5000,
        duplicate_cosine=9990,
        max_norm_squared=2**40,
        initial_model=GENERATOR,
    )
