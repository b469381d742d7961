"""Why a trainer was paid what it was paid."""

from __future__ import annotations

import json
import re

import pytest

from marketplace.audit.explain import Explanation, explain
from marketplace.audit.history import History
from marketplace.audit.replay import replay
from marketplace.chain import events as e
from marketplace.cli.explain import words
from marketplace.errors import FairshareError, Reason
from marketplace.protocol.digests import update_digest
from tests.support.market_run import DEPOSIT, SLOTS, Play, address_of


def asked(settled: Play, history: History, slot: int, round_: int) -> Explanation:
    return explain(history, address_of(settled.trainers[slot]), round_)


@pytest.mark.parametrize("name", ["settled", "doubted", "drawn"])
def test_the_amount_follows_from_what_is_shown(name: str, request: pytest.FixtureRequest) -> None:
    play: Play = request.getfixturevalue(name)
    history: History = request.getfixturevalue("history" if name == "settled" else f"{name}_history")
    paid = 0
    for round_ in (event.round for event in history.of(e.RoundClosed)):
        for account in play.trainers:
            found = explain(history, address_of(account), round_)
            paid += found.paid
            pay = found.pay
            if pay is not None:
                assert pay.pot == pay.budget + pay.from_timeouts + pay.from_strikes
                by_rule = (pay.pot - pay.reference_pot) * pay.contribution // max(1, pay.total_contribution)
                total = max(1, pay.total_reference_contribution)
                assert pay.amount == by_rule + pay.reference_pot * pay.reference_contribution // total
                assert found.paid == (0 if found.outcome == "undone" else pay.amount)
    assert paid == sum(replay(history).members.earned)


@pytest.mark.parametrize(
    ("slot", "round_", "words"),
    [
        (0, 1, "it was merged, with"),
        (5, 1, "too far from the others"),
        (2, 2, "is not signed by it"),
        (4, 4, "it withheld its update"),
        (0, 3, "the round was skipped"),
        (5, 3, "submitted nothing"),
        (0, 5, "submitted nothing"),
        (3, 5, "too much like an update"),
    ],
)
def test_the_reason_is_named(settled: Play, history: History, slot: int, round_: int, words: str) -> None:
    assert words in asked(settled, history, slot, round_).why


@pytest.mark.parametrize(
    ("round_", "words"),
    [(1, "by the owner's reference"), (3, "was undone"), (4, "given up"), (5, "it was merged, with")],
)
def test_the_reason_of_an_undone_round_is_named(
    doubted: Play, doubted_history: History, round_: int, words: str
) -> None:
    assert words in asked(doubted, doubted_history, 0, round_).why


def test_a_submission_is_shown_with_what_the_result_opened(settled: Play, history: History) -> None:
    for slot, batched, position in ((0, True, 2), (3, False, 1), (5, False, 5)):
        found = asked(settled, history, slot, 2).submission
        assert found is not None
        assert (found.batched, found.position) == (batched, position)
        assert found.x is not None
        assert found.y is not None
        trainer = address_of(settled.trainers[slot])
        assert found.digest == "0x" + update_digest(found.x, found.y, trainer).hex()


def test_a_seat_is_drawn(drawn: Play, drawn_history: History) -> None:
    found = [explain(drawn_history, address_of(account), 1) for account in drawn.trainers]
    seats = [(one.cohort, one.slot) for one in found if one.slot is not None]
    assert sorted(seats) == [(cohort, slot) for cohort in range(2) for slot in range(SLOTS)]
    assert [one.why for one in found if one.slot is None] == ["it held no slot in this round"]
    assert [one.number for one in found if one.slot is not None] == [
        number for number, one in enumerate(found) if one.slot is not None
    ]


def test_a_strike_is_told(settled: Play, history: History) -> None:
    found = asked(settled, history, 5, 1)
    assert found.struck
    assert found.slashed == settled.terms.trainer_stake // 5
    assert found.scores is not None
    assert found.scores.krum_score * 100 > 300 * found.scores.median_krum_score


def test_what_silence_cost_is_told(settled: Play, history: History) -> None:
    assert asked(settled, history, 4, 4).withheld == DEPOSIT


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


def test_the_words_hold_a_sum_that_gives_the_amount(settled: Play, history: History) -> None:
    found = asked(settled, history, 0, 1)
    assert found.pay is not None
    told = words(found)
    (line,) = [line for line in told.splitlines() if line.startswith("  amount")]
    amount, terms = line.removeprefix("  amount").split(":")[0].split("=")
    total = 0
    for term in terms.split(" + "):
        numbers = [int(number) for number in re.findall(r"\d+", term)]
        total += numbers[0] if len(numbers) == 1 else numbers[0] * numbers[1] // numbers[2]
    assert int(amount) == total == found.pay.amount > 0
    assert f"cohort {found.cohort}, slot {found.slot}" in told
    assert "position" in told


def test_the_words_say_what_silence_cost(settled: Play, history: History) -> None:
    assert f"withheld    {DEPOSIT} " in words(asked(settled, history, 4, 4))
