"""Calls that come too early, too late, twice or from the wrong account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from brownie import ZERO_ADDRESS, chain
from brownie.exceptions import VirtualMachineError
from brownie.test import given
from hypothesis import strategies as st
from rounds import SLOTS, WINDOW_S, commitment, judged, result, terms

from marketplace.chain.types import RoundResult

# No two scores or norms are equal, so each median is one slot's.
UPDATES = {slot: [100 + slot**3, 50 - 7 * slot, slot**2] for slot in range(SLOTS)}
ORDER = list(range(SLOTS))


def error_of(call: Any, *arguments: Any) -> str:
    """The name of the custom error with which a call is refused."""
    with pytest.raises(VirtualMachineError) as caught:
        call(*arguments)
    name, _, _ = str(caught.value.revert_msg).partition(":")
    return name


@pytest.fixture(scope="module")
def project(market: Any, vault: Any, circuit: bytes, accounts: Any) -> int:
    """A running project: trainers are accounts 2.., its two aggregators come after them."""
    posted = terms(circuit)
    created = market.create(posted.to_abi(), {"from": accounts[1], "value": posted.reward})
    project = int(created.events["ProjectCreated"]["project"])
    for trainer in accounts[2 : 2 + SLOTS]:
        vault.deposit(ZERO_ADDRESS, posted.trainer_stake, {"from": trainer, "value": posted.trainer_stake})
        market.join(project, b"k" * 32, {"from": trainer})
    for aggregator in accounts[2 + SLOTS : 4 + SLOTS]:
        vault.deposit(
            ZERO_ADDRESS, posted.aggregator_bond, {"from": aggregator, "value": posted.aggregator_bond}
        )
        market.joinAsAggregator(project, b"k" * 32, b"", {"from": aggregator})
    market.start(project, {"from": accounts[0]})
    return project


@pytest.fixture(scope="module")
def closed(market: Any, project: int, accounts: Any) -> int:
    """The same project once all have submitted in round 1."""
    for slot in ORDER:
        x, y = commitment(UPDATES[slot])
        market.submit(project, 1, x, y, b"b" * 32, {"from": accounts[2 + slot]})
    return project


def honest(circuit: bytes) -> RoundResult:
    return result(1, UPDATES, judged(terms(circuit), UPDATES, ORDER, []), [])


def test_submissions(market: Any, project: int, accounts: Any) -> None:
    x, y = commitment(UPDATES[0])
    trainer = {"from": accounts[2]}
    assert error_of(market.submit, project, 1, x, y + 1, b"b" * 32, trainer) == "NotOnCurve"
    assert error_of(market.submit, project, 2, x, y, b"b" * 32, trainer) == "WrongRound"
    assert error_of(market.submit, project, 1, x, y, b"b" * 32, {"from": accounts[1]}) == "NotMember"
    market.submit(project, 1, x, y, b"b" * 32, trainer)
    assert error_of(market.submit, project, 1, x, y, b"b" * 32, trainer) == "AlreadySubmitted"
    chain.sleep(WINDOW_S)
    assert error_of(market.submit, project, 1, x, y, b"b" * 32, {"from": accounts[3]}) == "DeadlinePassed"


def test_results_by_the_wrong_account_or_at_the_wrong_time(
    market: Any, closed: int, circuit: bytes, accounts: Any
) -> None:
    posted = honest(circuit).to_abi()
    first, second = accounts[2 + SLOTS], accounts[3 + SLOTS]
    assert error_of(market.postResult, closed, posted, {"from": second}) == "NotCurrentAggregator"
    assert error_of(market.timeout, closed, 1, {"from": second}) == "TooEarly"
    assert error_of(market.skip, closed, 1, 0, {"from": second}) == "QuorumReached"
    chain.sleep(WINDOW_S)
    assert error_of(market.postResult, closed, posted, {"from": first}) == "DeadlinePassed"
    market.timeout(closed, 1, {"from": accounts[0]})
    market.postResult(closed, posted, {"from": second})
    assert error_of(market.postResult, closed, posted, {"from": second}) == "WrongRound"


@given(
    st.sampled_from(["merged", "median_score_slot", "median_norm_slot", "neighbours", "proof", "omitted"]),
    st.integers(0, SLOTS - 1),
)
def test_no_tampered_result_is_accepted(
    market: Any, closed: int, circuit: bytes, accounts: Any, where: str, slot: int
) -> None:
    posted = honest(circuit)
    value = getattr(posted, where)
    changes: dict[str, Any] = {
        "merged": posted.merged ^ 1 << slot,
        "median_score_slot": (posted.median_score_slot + 1 + slot) % SLOTS,
        "median_norm_slot": (posted.median_norm_slot + 1 + slot) % SLOTS,
        "neighbours": tuple(near ^ 0b11 if i == slot else near for i, near in enumerate(posted.neighbours)),
        "proof": posted.proof[: 64 * slot] + b"\x01" + posted.proof[64 * slot + 1 :],
        "omitted": 0b11 << slot,
    }
    if changes[where] == value:
        return
    tampered = replace(posted, **{where: changes[where]})
    expected = {
        "merged": "WrongMerged",
        "median_score_slot": "WrongMedianScore",
        "median_norm_slot": "WrongMedianNorm",
        "neighbours": "WrongNeighbours",
        "proof": "CommitmentMismatch",
        "omitted": "InvalidOmission",
    }
    refused = error_of(market.postResult, closed, tampered.to_abi(), {"from": accounts[2 + SLOTS]})
    assert refused == expected[where]
    market.postResult(closed, posted.to_abi(), {"from": accounts[2 + SLOTS]})
