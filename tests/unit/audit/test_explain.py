"""Why a trainer was paid what it was paid."""

from __future__ import annotations

import json

import pytest

from marketplace.audit.explain import Explanation, explain
from marketplace.audit.history import History
from marketplace.chain import events as e
from marketplace.errors import FairshareError, Reason
from tests.support.market_run import SLOTS, Play, address_of


def asked(settled: Play, history: History, slot: int, round_: int) -> Explanation:
    return explain(history, address_of(settled.trainers[slot]), round_)


def test_the_amount_follows_from_what_is_shown(settled: Play, history: History) -> None:
    for round_ in (1, 2, 4, 5):
        for slot in range(SLOTS):
            found = asked(settled, history, slot, round_)
            paid = sum(
                event.amount
                for event in history.of(e.TrainerPaid)
                if (event.round, event.trainer) == (round_, found.trainer)
            )
            assert found.paid == paid
            if found.pay is not None:
                assert found.pay.pot == found.pay.budget + found.pay.from_timeouts + found.pay.from_strikes
                assert found.pay.amount == paid
                assert paid == found.pay.pot * found.pay.contribution // found.pay.total_contribution


@pytest.mark.parametrize(
    ("slot", "round_", "words"),
    [
        (0, 1, "it was merged, with"),
        (5, 1, "too far from the others"),
        (4, 2, "left it out as unopenable"),
        (0, 3, "the round was skipped"),
        (5, 3, "submitted nothing"),
        (0, 5, "submitted nothing"),
        (3, 5, "too much like an update"),
    ],
)
def test_the_reason_is_named(settled: Play, history: History, slot: int, round_: int, words: str) -> None:
    assert words in asked(settled, history, slot, round_).why


def test_a_strike_is_told(settled: Play, history: History) -> None:
    found = asked(settled, history, 5, 1)
    assert found.struck
    assert found.slashed == settled.terms.trainer_stake // 5
    assert found.scores is not None
    assert found.scores.krum_score * 100 > 300 * found.scores.median_krum_score


def test_whoever_holds_no_slot_is_told_so(settled: Play, history: History) -> None:
    found = explain(history, address_of(settled.owner), 1)
    assert (found.slot, found.paid, found.pay) == (None, 0, None)
    assert "no slot" in found.why


def test_a_round_that_never_was(settled: Play, history: History) -> None:
    with pytest.raises(FairshareError) as caught:
        asked(settled, history, 0, 6)
    assert caught.value.reason is Reason.NOT_FOUND


def test_as_json_no_number_loses_precision(settled: Play, history: History) -> None:
    document = asked(settled, history, 1, 1).to_dict()

    def small(value: object) -> bool:
        match value:
            case dict():
                return all(small(inner) for inner in value.values())
            case list():
                return all(small(inner) for inner in value)
            case int():
                return abs(value) < 2**53
        return True

    assert small(document)
    assert document == json.loads(json.dumps(document))
    assert document["pay"]["at"]["transaction"].startswith("0x")
