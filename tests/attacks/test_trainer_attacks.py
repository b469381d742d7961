"""Every way for a trainer to cheat: it takes nothing from the honest, and the audit holds.

K = 6, f = 1, so one cheat is what the project tolerates. The honest trainers' pay is compared with the same project,
data and seeds where the slot is absent: exactly equal where the rules treat the slot as absent (copy, scale), and
otherwise the same sum, since Multi-Krum leaves f updates out whoever submits.
"""

from __future__ import annotations

import pytest

from marketplace.protocol.shares import round_budget
from tests.support.audits import assert_audit_holds
from tests.support.live_market import FAULTS, ROUNDS, SLOTS, LiveMarket, Outcome, project_file
from trainer_node.behaviour import Attack

CHEAT = 2
POT = round_budget(10**18, ROUNDS, 10**16) * ROUNDS


@pytest.fixture(scope="module")
def absent(market: LiveMarket) -> Outcome:
    """The same project with the cheat's slot absent."""
    return market.run(market.post(project_file()), {CHEAT: Attack.ABSENT})


def honest_pay(outcome: Outcome) -> list[list[int]]:
    return [[a for slot, a in enumerate(row) if slot != CHEAT] for row in outcome.paid_by_round]


def test_absent_is_paid_nothing_and_loses_nothing(market: LiveMarket, absent: Outcome) -> None:
    assert absent.paid[CHEAT] == 0
    assert absent.slashed == [0] * SLOTS
    assert POT - SLOTS * ROUNDS < absent.total_paid <= POT
    assert [len_of(r.merged) for r in absent.results] == [SLOTS - 1 - FAULTS] * ROUNDS
    assert_audit_holds(market, absent.project)


@pytest.mark.parametrize("attack", [Attack.COPY, Attack.SCALE])
def test_what_the_rules_treat_as_absent_changes_nobodys_pay(
    market: LiveMarket, absent: Outcome, attack: Attack
) -> None:
    outcome = market.run(market.post(project_file()), {CHEAT: attack})
    assert outcome.paid[CHEAT] == 0
    if attack is Attack.SCALE:  # proven oversized: struck, and its stake goes to the honest
        assert outcome.slashed[CHEAT] > 0
        extra = outcome.slashed[CHEAT]
        assert POT + extra - SLOTS * ROUNDS < outcome.total_paid <= POT + extra
        assert [r.merged for r in outcome.results] == [r.merged for r in absent.results]
        assert [r.x for r in outcome.results] == [r.x for r in absent.results]
    else:  # nobody can open a copied blob: omitted, on record
        assert [r.omitted for r in outcome.results] == [1 << CHEAT] * ROUNDS
        assert honest_pay(outcome) == honest_pay(absent)
        assert [r.x for r in outcome.results] == [r.x for r in absent.results]
    assert_audit_holds(market, outcome.project)


@pytest.mark.parametrize("attack", [Attack.SIGN_FLIP, Attack.RANDOM])
def test_poison_is_left_out_struck_and_unpaid(market: LiveMarket, attack: Attack) -> None:
    outcome = market.run(market.post(project_file()), {CHEAT: attack})
    assert outcome.paid[CHEAT] == 0
    assert all(not r.merged >> CHEAT & 1 for r in outcome.results)
    assert outcome.slashed[CHEAT] > 0
    assert [s for slot, s in enumerate(outcome.slashed) if slot != CHEAT] == [0] * (SLOTS - 1)
    pot = POT + outcome.slashed[CHEAT]
    assert pot - SLOTS * ROUNDS < outcome.total_paid <= pot
    assert_audit_holds(market, outcome.project)


def test_doing_nothing_earns_nothing(market: LiveMarket) -> None:
    outcome = market.run(market.post(project_file()), {CHEAT: Attack.ZERO})
    assert outcome.paid[CHEAT] == 0
    assert [s for slot, s in enumerate(outcome.slashed) if slot != CHEAT] == [0] * (SLOTS - 1)
    pot = POT + outcome.slashed[CHEAT]
    assert pot - SLOTS * ROUNDS < outcome.total_paid <= pot
    assert_audit_holds(market, outcome.project)


def test_wrong_labels_are_never_paid_as_well_as_honest_work(market: LiveMarket) -> None:
    outcome = market.run(market.post(project_file()), {CHEAT: Attack.LABEL_FLIP})
    honest = [amount for slot, amount in enumerate(outcome.paid) if slot != CHEAT]
    assert outcome.paid[CHEAT] < min(honest)
    assert POT - SLOTS * ROUNDS < outcome.total_paid - sum(outcome.slashed) <= POT
    assert_audit_holds(market, outcome.project)


def len_of(mask: int) -> int:
    return bin(mask).count("1")
