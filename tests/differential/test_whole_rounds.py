"""Circuit, Python and Solidity agree on whole rounds: G, Krum scores, merged, strikes, contributions and amounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from marketplace.protocol.gram import Gram
from marketplace.protocol.shares import amounts
from tests.differential.amounts_on_chain import AmountsOnChain
from tests.differential.circuit_witness import Circuits
from tests.differential.claims import honest_claims
from tests.differential.judge_on_chain import JudgeOnChain, Verdict
from tests.differential.rounds import SHAPES, Round
from tests.differential.situations import count_situations
from tests.differential.test_judge import expected
from tests.differential.whole_rounds import FAMILIES, KINDS, WholeRound, whole_round

ROUNDS, BLOCK = 2_100, 105  # every kind of cohort once a block


def assert_alike(
    circuits: Circuits, judge: JudgeOnChain, payer: AmountsOnChain, seeds: Sequence[int]
) -> Counter[str]:
    """Plays the rounds of these seeds three times. Returns how often each situation came up."""
    seen: Counter[str] = Counter()
    rounds = [whole_round(seed) for seed in seeds]
    judgements = [whole.round.judged() for whole in rounds]
    calls = []
    for whole, judgement in zip(rounds, judgements, strict=True):
        proved = circuits.gram(whole.shape, whole.rows)
        assert proved == whole.round.gram.triangle, f"whole_round({whole.seed})"
        calls += list(judge.calls(_with_gram(whole.round, proved), [honest_claims(judgement)]))
        count_situations(seen, whole.round, judgement)
        seen[whole.family] += 1
    verdicts = judge.ask_all(calls)
    for whole, judgement, verdict in zip(rounds, judgements, verdicts, strict=True):
        assert verdict == expected(judgement), f"whole_round({whole.seed})"
    asked = [_pay(whole, verdict) for whole, verdict in zip(rounds, verdicts, strict=True)]
    for whole, judgement, paid in zip(rounds, judgements, payer.ask_all(asked), strict=True):
        assert paid == amounts(judgement, whole.pot, whole.share), f"whole_round({whole.seed})"
        seen["amounts paid"] += any(paid)
    return seen


def _with_gram(round_: Round, triangle: tuple[int, ...]) -> Round:
    """The round as the circuit sees it."""
    matrix = Gram(round_.gram.slots, triangle)
    return Round(round_.rules, matrix, round_.submitted, round_.reference_present, round_.positions)


def _pay(whole: WholeRound, verdict: object) -> tuple[int, Verdict, int]:
    assert isinstance(verdict, Verdict)
    return whole.pot, verdict, whole.share


@pytest.fixture
def circuits(tmp_path: Path) -> Circuits:
    return Circuits(tmp_path)


SITUATIONS = (
    *FAMILIES,
    *(f"K = {slots}, f = {faults}" for slots, faults in SHAPES),
    "absences",
    "by reference",
    "paid by reference",
    "a reference that is none",
    "no reference",
    "oversized",
    "no quorum",
    "struck by score",
    "exactly parallel",
    "negative projections",
    "unpaid copies",
    "zero updates",
    "tied scores",
    "all alike",
    "largest norm",
    "paid by PROJECTION",
    "paid by COSINE",
    "amounts paid",
)


def test_a_round_of_every_kind_of_cohort_is_alike_three_times(
    circuits: Circuits, judge_on_chain: JudgeOnChain, amounts_on_chain: AmountsOnChain
) -> None:
    seen = assert_alike(circuits, judge_on_chain, amounts_on_chain, range(len(KINDS)))
    assert seen["rounds"] == len(KINDS)


@pytest.mark.deep
def test_two_thousand_rounds_are_alike_three_times(
    circuits: Circuits, judge_on_chain: JudgeOnChain, amounts_on_chain: AmountsOnChain
) -> None:
    """Fails with the seed of the first round that differs: `whole_round(seed)` is that round."""
    seen: Counter[str] = Counter()
    for start in range(0, ROUNDS, BLOCK):
        seen += assert_alike(circuits, judge_on_chain, amounts_on_chain, range(start, start + BLOCK))
        print(f"seeds {start} to {start + BLOCK - 1} are alike")
    print("\n".join(f"{number:6} {situation}" for situation, number in sorted(seen.items())))
    assert seen["rounds"] == ROUNDS >= 2_000
    assert not [situation for situation in SITUATIONS if not seen[situation]], "no such round among them"
