"""Single checks, and what a report makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.audit.project_files import check_srs
from marketplace.audit.report import AuditReport, Check, failed, run_check, unchecked
from marketplace.audit.reputation import below_floor
from marketplace.audit.settlement import Settlement as Settled
from marketplace.audit.settlement import settle
from marketplace.chain.events import FaultRecorded, TrainerJoined, TrainerRecorded
from marketplace.chain.types import NATIVE_COIN, Address, Arrivals, RoundResult, ScoreRule, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import gram
from marketplace.protocol.reputation import HALF_LIFE
from tests.support.structs import blank
from zk.curve import Point, to_bytes

NO_ARRIVALS = Arrivals(b"", (), (), ())
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


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.lists(st.integers(-(2**20), 2**20), min_size=3, max_size=3), min_size=6, max_size=6),
    reference=st.booleans(),
    carried=st.integers(0, 2**90),
    stakes=st.lists(st.integers(0, 2**60), min_size=5, max_size=5),
)
def test_a_round_never_gives_more_than_its_pot(
    rows: list[list[int]], reference: bool, carried: int, stakes: list[int]
) -> None:
    numbers = gram([np.array(row) for row in rows]).triangle
    left = dict(enumerate(stakes))
    settled = _settle(
        [to_felt(number) for number in numbers], reference=reference, stakes=left, carried=carried
    )
    assert settled.budget == 10**18 // 2 // 3 - 10**15
    assert settled.pot == settled.budget + carried + sum(settled.losses.values())
    assert sum(settled.amounts) <= settled.pot
    assert settled.along == (settled.pot * 8000 // 10_000 if settled.judgement.by_reference else 0)
    assert set(settled.losses) == set(settled.judgement.struck)
    assert all(settled.losses[slot] <= left[slot] for slot in settled.losses)


def test_what_a_shrunken_token_brought_is_what_is_shared() -> None:
    numbers = [to_felt(0 if place else 2**50) for place in range(21)]  # slot 0 is beyond the bound
    settled = _settle(numbers, stakes=dict.fromkeys(range(5), 10**16), arrived=7)
    assert settled.losses == {0: 5 * 10**15}
    assert settled.pot == settled.budget + 7


def test_numbers_that_are_no_matrix_are_refused() -> None:
    for numbers in ((1,) * 20, (2**256 - 1,) * 21):
        with pytest.raises(ValueError, match=r"entries|field"):
            _settle(numbers)


def test_commitments_that_are_no_points_are_refused() -> None:
    with pytest.raises(FairshareError) as caught:
        _settle([1] * 21, proof=bytes(63) + b"\1" + bytes(320))
    assert caught.value.reason is Reason.INTEGRITY


@pytest.mark.parametrize(("score", "ok"), [(1_500_000, True), (1_000_000, True), (999_999, False)])
def test_the_reputation_floor_is_replayed(score: int, ok: bool) -> None:
    """One record at the half-life's start, a trainer that joins at once; a fault of another role does not count."""
    trainer, other = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
    at = {"block_number": 1, "transaction_hash": bytes(32), "project": 1}
    written = [
        TrainerRecorded(**at, log_index=0, trainer=trainer, contribution=score),
        FaultRecorded(**at, log_index=1, account=trainer, as_aggregator=True),
        FaultRecorded(**at, log_index=2, account=other, as_aggregator=False),
    ]
    joined = TrainerJoined(**at, log_index=3, trainer=trainer, number=0, encryption_key=bytes(32))
    times = {1: 10 * HALF_LIFE}
    assert below_floor(written, [joined], times, 1_000_000) == ([] if ok else [(trainer, score)])


def _settle(numbers: Sequence[int], **changes: Any) -> Settled:
    proof = changes.pop("proof", to_bytes(GENERATOR) * 6)
    result = blank(RoundResult, gram=tuple(numbers), proof=proof, neighbours=(0,) * 5, arrivals=NO_ARRIVALS)
    values: dict[str, Any] = {
        "cohorts": 3,
        "present": range(5),
        "positions": range(1, 6),
        "reference": True,
        "stakes": {},
        "carried": 0,
        "arrived": None,
        "model": GENERATOR,
        "zero": GENERATOR,
    }
    return settle(_terms(), result, **values | changes)


def _terms() -> Terms:
    terms: Terms = blank(
        Terms,
        token=NATIVE_COIN,
        reward=10**18,
        trainer_stake=10**16,
        aggregator_fee=10**15,
        slots=5,
        faults=1,
        cohorts=3,
        rounds=2,
        score_rule=ScoreRule.REFERENCE,
        reference_share=8000,
        strike_factor=300,
        strike_slash=5000,
        duplicate_cosine=9990,
        max_norm_squared=2**40,
        initial_model=GENERATOR,
    )
    return terms
