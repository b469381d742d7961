"""Circuit, Python and contract say the same of random int16 updates: G as proved, G as computed, and the judgement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Rules, ScoreRule
from tests.differential.claims import honest_claims
from tests.differential.judge_on_chain import JudgeOnChain
from tests.differential.rounds import LARGEST_BOUND, Round
from tests.differential.test_judge import expected
from tests.support.circuits import circuit_cache
from zk import keys, prover
from zk.files import CircuitFiles
from zk.shape import CircuitShape

Update = NDArray[np.int16]

SLOTS, FAULTS, LENGTH = 5, 1, 8
ENTRIES = st.sampled_from([0, 1, -1, 32767, -32767, -32768]) | st.integers(-(2**15), 2**15 - 1)

update = st.lists(ENTRIES, min_size=LENGTH, max_size=LENGTH).map(lambda row: np.array(row, dtype=np.int16))
updates = st.lists(st.none() | update, min_size=SLOTS, max_size=SLOTS) | st.lists(
    update, min_size=SLOTS, max_size=SLOTS
)


@pytest.fixture(scope="session")
def files() -> CircuitFiles:
    return keys.build(CircuitShape(SLOTS, LENGTH), circuit_cache())


def assert_alike(files: CircuitFiles, judge_on_chain: JudgeOnChain, rows: list[Update | None]) -> None:
    """One proof; judged by both rules, on the chain from the proof's G and in Python from the updates."""
    proof = prover.prove(files, rows)
    assert proof.gram == gram(rows).triangle
    submitted = tuple(slot for slot, row in enumerate(rows) if row is not None)
    positions = tuple(slot + 1 if row is not None else 0 for slot, row in enumerate(rows))
    for score_rule in (ScoreRule.PROJECTION, ScoreRule.COSINE):
        rules = Rules(
            SLOTS, FAULTS, LARGEST_BOUND, score_rule=score_rule, strike_factor=200, duplicate_cosine=9_990
        )
        judgement = Round(rules, gram(rows), submitted, False, positions).judged()
        proved = Round(rules, Gram(SLOTS, proof.gram), submitted, False, positions)
        assert judge_on_chain.ask(proved, [honest_claims(judgement)]) == [expected(judgement)]


@pytest.mark.parametrize(
    "rows",
    [
        [np.full(LENGTH, 32767, np.int16)] * SLOTS,
        [np.full(LENGTH, sign * 32767, np.int16) for sign in (1, -1, 1, -1, 1)],
        [np.full(LENGTH, -32768, np.int16)] * SLOTS,
        [np.zeros(LENGTH, np.int16)] * SLOTS,
        [np.arange(LENGTH, dtype=np.int16)] * SLOTS,
        [None] * SLOTS,
        [None, *[np.arange(LENGTH, dtype=np.int16) * slot for slot in range(1, SLOTS)]],
    ],
    ids=["largest", "opposites", "smallest", "zeros", "all equal", "all absent", "parallel, one absent"],
)
def test_special_updates(
    files: CircuitFiles, judge_on_chain: JudgeOnChain, rows: list[Update | None]
) -> None:
    assert_alike(files, judge_on_chain, rows)


@pytest.mark.deep
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(updates)
def test_many_random_updates(
    files: CircuitFiles, judge_on_chain: JudgeOnChain, rows: list[Update | None]
) -> None:
    assert_alike(files, judge_on_chain, rows)
