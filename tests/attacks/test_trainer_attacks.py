"""Every way for a trainer to cheat: it takes nothing from the honest, and the audit holds.

K = 6, f = 1, so one cheat is what the project tolerates. The honest trainers' pay is compared with the same project,
data and seeds where the slot is absent: exactly equal where the rules treat the slot as absent (copy, withhold),
and otherwise the same sum, since Multi-Krum leaves f updates out whoever submits.
"""

from __future__ import annotations

import pytest

from marketplace.protocol.shares import round_budget
from marketplace.spec import ProjectFile
from tests.support.audits import assert_audit_holds
from tests.support.live_market import FAULTS, PROJECTION, SLOTS, LiveMarket, project_file
from tests.support.outcome import Outcome
from trainer_node.behaviour import Attack

CHEAT = 2
DEEP = pytest.mark.deep  # as the attack before it, but for what the cheat submits
POT = round_budget(10**18, 1, 1, 10**16)


def one_round() -> ProjectFile:
    """With windows that a busy machine meets: time passes quickly when nobody has anything to do."""
    windows = {"rounds.submit_window": 30, "rounds.answer_window": 16, "rounds.result_window": 60}
    return project_file(**PROJECTION, **{"rounds.count": 1, **windows})


@pytest.fixture(scope="module")
def absent(market: LiveMarket) -> Outcome:
    """The same project with the cheat's slot absent."""
    return market.run(market.post(one_round()), {CHEAT: Attack.ABSENT})


def cheated(market: LiveMarket, attack: Attack) -> Outcome:
    """Whatever the cheat does: every claim is paid, the books balance, and the audit holds."""
    outcome = market.run(market.post(one_round()), {CHEAT: attack})
    pot = POT + sum(outcome.slashed)
    assert pot - SLOTS < sum(outcome.paid) <= pot
    assert outcome.claimed == outcome.paid
    assert [amount for slot, amount in enumerate(outcome.slashed) if slot != CHEAT] == [0] * (SLOTS - 1)
    assert [event.slot for event in outcome.withheld if event.slot != CHEAT] == []
    assert_audit_holds(market, outcome.project)
    return outcome


def test_absent_is_paid_nothing_and_loses_nothing(market: LiveMarket, absent: Outcome) -> None:
    assert absent.paid[CHEAT] == 0
    assert absent.slashed == [0] * SLOTS
    assert POT - SLOTS < sum(absent.paid) <= POT
    assert [result.merged.bit_count() for result in absent.results] == [SLOTS - 1 - FAULTS]
    assert_audit_holds(market, absent.project)


@pytest.mark.parametrize("attack", [Attack.WITHHOLD, pytest.param(Attack.COPY, marks=DEEP)])
def test_what_cannot_be_opened_is_absent_and_costs_its_trainer(
    market: LiveMarket, absent: Outcome, attack: Attack
) -> None:
    outcome = cheated(market, attack)
    assert outcome.paid == absent.paid
    assert [result.x for result in outcome.results] == [result.x for result in absent.results]
    deposit = market.owner.client.terms(outcome.project).complaint_deposit
    assert [(event.slot, event.paid) for event in outcome.withheld] == [(CHEAT, deposit)]
    cheat = market.trainers[CHEAT].address
    assert market.owner.client.trainer_record(cheat).faults > 0


def test_an_update_out_of_bounds_is_struck_and_merged_by_nobody(market: LiveMarket, absent: Outcome) -> None:
    outcome = cheated(market, Attack.SCALE)
    assert outcome.paid[CHEAT] == 0
    assert outcome.slashed[CHEAT] > 0
    assert [result.merged for result in outcome.results] == [result.merged for result in absent.results]
    assert [result.x for result in outcome.results] == [result.x for result in absent.results]


@pytest.mark.parametrize("attack", [Attack.SIGN_FLIP, pytest.param(Attack.RANDOM, marks=DEEP)])
def test_poison_is_left_out_struck_and_unpaid(market: LiveMarket, attack: Attack) -> None:
    outcome = cheated(market, attack)
    assert outcome.paid[CHEAT] == 0
    assert all(not result.merged >> CHEAT & 1 for result in outcome.results)
    assert outcome.slashed[CHEAT] > 0


@DEEP
def test_doing_nothing_earns_nothing(market: LiveMarket) -> None:
    assert cheated(market, Attack.ZERO).paid[CHEAT] == 0


@DEEP
def test_wrong_labels_are_never_paid_as_well_as_honest_work(market: LiveMarket) -> None:
    outcome = cheated(market, Attack.LABEL_FLIP)
    assert outcome.paid[CHEAT] < min(amount for slot, amount in enumerate(outcome.paid) if slot != CHEAT)
