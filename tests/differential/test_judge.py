"""Python and Solidity judge alike, to the last unit, and the contract takes no other claims than the rules allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.chain.reverts import Revert
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import FarPair, Judgement, Rules, mask, members
from tests.differential.claims import Claims, altered_claims, honest_claims, refusal
from tests.differential.judge_on_chain import Answer, JudgeOnChain, Verdict
from tests.differential.rounds import SHAPES, Round, mended, random_round
from tests.differential.situations import count_far, count_situations
from tests.differential.strategies import rounds
from tests.support.crafted_updates import LARGE, RULES, gram_of, two_that_cancel

_CHUNK = 250  # rounds whose calls are held in memory at a time


def expected(judgement: Judgement) -> Verdict:
    """The contract's form of Python's judgement."""
    return Verdict(
        present=mask(judgement.present),
        struck=mask(judgement.struck),
        scores=judgement.scores,
        contributions=judgement.contributions,
        total=sum(judgement.contributions),
        reference_contributions=judgement.reference_contributions,
        reference_total=sum(judgement.reference_contributions),
        by_reference=judgement.by_reference,
    )


def assert_alike(judge_on_chain: JudgeOnChain, seeds: Sequence[int]) -> Counter[str]:
    """Judges the rounds of these seeds on both sides. Returns how often each situation came up."""
    seen: Counter[str] = Counter()
    asked: list[tuple[int, Claims, Answer]] = []

    def calls() -> Iterator[bytes]:
        for seed in seeds:
            random = np.random.default_rng(seed)
            round_ = random_round(random)
            due = answers_due(random, round_, seen)
            asked.extend((seed, claims, answer) for claims, answer in due)
            yield from judge_on_chain.calls(round_, [claims for claims, _ in due])

    for answer, (seed, claims, wanted) in zip(judge_on_chain.ask_all(calls()), asked, strict=True):
        assert answer == wanted, f"random_round of seed {seed}, {claims}"
    return seen


def answers_due(
    random: np.random.Generator, round_: Round, seen: Counter[str]
) -> list[tuple[Claims, Answer]]:
    """Claims about the round, honest ones first, and what the contract has to answer to each."""
    slots = round_.rules.slots
    try:
        judgement = round_.judged()
        verdict: Answer = expected(judgement)
        count_situations(seen, round_, judgement)
    except FarPair as far:
        count_far(seen, round_, far.pair)
        verdict = Revert("FarPair", {"slot": far.pair[0], "other": far.pair[1]})
        if far.pair[1] < slots:  # before any claim is looked at
            return [(Claims(0, 0, 0, (0,) * slots), verdict)]
        judgement = replace(round_, reference_present=False).judged()  # it has no say in the claims
    honest = honest_claims(judgement)
    due: list[tuple[Claims, Answer]] = []
    for claims in (honest, *altered_claims(random, round_, honest)):
        wrong = refusal(round_, judgement, claims)
        answer = wrong or verdict
        due.append((claims, answer))
        seen["claims equal by rule"] += wrong is None and claims != honest and bool(judgement.merged)
        seen[answer.name if isinstance(answer, Revert) else "accepted"] += 1
    return due


SITUATIONS = (
    "absences",
    "by reference",
    "paid by reference",
    "a reference that is none",
    "no reference",
    "oversized",
    "no quorum",
    "struck by score",
    "far by the bound",
    "far by Cauchy-Schwarz",
    "the reference far by the bound",
    "the reference far by Cauchy-Schwarz",
    "an absent one far",
    "exactly parallel",
    "negative projections",
    "unpaid copies",
    "zero updates",
    "tied scores",
    "all alike",
    "largest norm",
    "paid by PROJECTION",
    "paid by COSINE",
    "claims equal by rule",
    "WrongNeighbours",
    "WrongMerged",
    "WrongMedianScore",
    "WrongMedianNorm",
    *(f"K = {slots}, f = {faults}" for slots, faults in SHAPES),
)


def test_python_and_solidity_judge_alike(judge_on_chain: JudgeOnChain) -> None:
    seen: Counter[str] = Counter()
    for start in range(0, 1_500, _CHUNK):
        seen += assert_alike(judge_on_chain, range(start, start + _CHUNK))
    assert not [situation for situation in SITUATIONS if not seen[situation]], "no such round among them"


@pytest.mark.deep
@pytest.mark.parametrize("start", range(10_000, 20_000, 1_000))
def test_python_and_solidity_judge_ten_thousand_rounds_alike(
    judge_on_chain: JudgeOnChain, start: int
) -> None:
    for first in range(start, start + 1_000, _CHUNK):
        assert_alike(judge_on_chain, range(first, first + _CHUNK))


def _assert_round_alike(judge_on_chain: JudgeOnChain, round_: Round, seed: int) -> None:
    due = answers_due(np.random.default_rng(seed), round_, Counter())
    assert judge_on_chain.ask(round_, [claims for claims, _ in due]) == [answer for _, answer in due]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds(), st.integers(0, 2**32))
def test_rounds_at_the_edges_are_judged_alike(judge_on_chain: JudgeOnChain, round_: Round, seed: int) -> None:
    _assert_round_alike(judge_on_chain, round_, seed)


@pytest.mark.deep
@settings(max_examples=3_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds(), st.integers(0, 2**32))
def test_more_rounds_at_the_edges_are_judged_alike(
    judge_on_chain: JudgeOnChain, round_: Round, seed: int
) -> None:
    _assert_round_alike(judge_on_chain, round_, seed)


@pytest.mark.parametrize("hidden", [60, 90, LARGE])
def test_two_whose_parts_cancel_are_refused(judge_on_chain: JudgeOnChain, hidden: int) -> None:
    """Two trainers and their aggregator, whose claims are those of the round that it looks like."""
    everybody, order = tuple(range(RULES.slots)), tuple(range(1, RULES.slots + 1))
    round_ = Round(RULES, gram_of(two_that_cancel(hidden)), everybody, False, order)
    honest = honest_claims(replace(round_, gram=mended(RULES, round_.gram)).judged())
    assert {0, 1} <= set(members(honest.merged))
    assert judge_on_chain.ask(round_, [honest]) == [Revert("FarPair", {"slot": 0, "other": 1})]


@pytest.mark.parametrize("change", [-1, 1])
def test_lists_of_another_length_are_refused(judge_on_chain: JudgeOnChain, change: int) -> None:
    round_ = Round(Rules(4, 0, 100), gram([np.array([3, 4])] * 4), (0, 1, 2, 3), False, (1, 2, 3, 4))
    honest = honest_claims(round_.judged())
    longer = replace(honest, neighbours=(*honest.neighbours, 0)[: 4 + change])
    assert judge_on_chain.ask(round_, [longer]) == [
        Revert("WrongLength", {"given": 4 + change, "expected": 4})
    ]
    other = replace(round_, gram=gram([np.array([3, 4])] * (4 + change)))
    entries = len(other.gram.triangle)
    assert judge_on_chain.ask(other, [honest]) == [Revert("WrongLength", {"given": entries, "expected": 10})]
