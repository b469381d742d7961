"""What pay is compared with: values of subsets, and how projects on a chain become rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offchain import shapley
from onchain import series
from onchain.project import Case, Outcome

from marketplace.errors import FairshareError, Reason

PLAYERS = 4
values = st.floats(-5, 5, allow_nan=False)
tables = st.lists(values, min_size=1 << PLAYERS, max_size=1 << PLAYERS).map(np.array)


def additive(worth: list[float]) -> np.ndarray:
    """V of a game in which everybody adds its own worth."""
    return np.array(
        [
            sum(worth[player] for player in range(len(worth)) if subset >> player & 1)
            for subset in range(1 << len(worth))
        ]
    )


@given(tables)
def test_exact_values_share_out_what_all_gain_together(table: np.ndarray) -> None:
    assert shapley.exact(table).sum() == pytest.approx(table[-1] - table[0], abs=1e-9)


@given(tables, st.permutations(range(PLAYERS)))
def test_exact_values_do_not_depend_on_the_order_of_the_players(table: np.ndarray, order: list[int]) -> None:
    renamed = np.array(
        [
            table[sum(1 << order[player] for player in range(PLAYERS) if subset >> player & 1)]
            for subset in range(1 << PLAYERS)
        ]
    )
    assert shapley.exact(renamed) == pytest.approx(shapley.exact(table)[order], abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.1, 5), min_size=PLAYERS, max_size=PLAYERS))
def test_all_methods_agree_where_everybody_adds_its_own_worth(worth: list[float]) -> None:
    table = additive(worth)
    sampled, evaluations = shapley.gtg(table, np.random.default_rng(1))
    assert shapley.exact(table) == pytest.approx(worth)
    assert shapley.leave_one_out(table) == pytest.approx(worth)
    assert sampled == pytest.approx(worth, abs=0.01)
    assert evaluations <= 1 << PLAYERS


def outcome(rule: str, seed: int, amounts: list[list[int]], digests: list[str]) -> Outcome:
    case = Case(
        dataset="digits",
        alpha=None,
        seed=seed,
        rule=rule,
        settlement="proved",
        faults=1,
        rounds=2,
        epochs=None,
    )
    return Outcome(
        case=case,
        seconds=1.0,
        pots=[10, 30],
        amounts=amounts,
        merged=[[0, 1]] * 2,
        struck=[[]] * 2,
        digests=digests,
        worth={"exact": [[1.0, 0.0], [0.5, 0.5]]},
        evaluations=4.0,
    )


def test_pay_is_of_the_money_and_other_methods_get_the_same_pots() -> None:
    reference = outcome("reference", 3, [[10, 0], [10, 20]], ["a", "b"])
    found, alike = series.shares_of([reference, outcome("cosine", 3, [[5, 5], [15, 15]], ["a", "b"])])
    assert list(found) == ["reference", "cosine", "exact"]
    assert found["reference"].tolist() == [[0.5, 0.5]]
    assert found["exact"].tolist() == [[25 / 40, 15 / 40]]
    assert alike


def test_rules_with_other_updates_are_told_apart_and_seeds_must_have_every_rule() -> None:
    given_ = [
        outcome("reference", 1, [[10, 0], [30, 0]], ["a", "b"]),
        outcome("reference", 2, [[10, 0], [30, 0]], ["a", "b"]),
        outcome("cosine", 2, [[10, 0], [30, 0]], ["a", "c"]),
    ]
    found, alike = series.shares_of(given_)
    assert len(found["reference"]) == 1
    assert not alike


def test_results_are_read_back_and_other_files_refused(tmp_path: Path) -> None:
    kept = [outcome("reference", 1, [[10**17, 0], [30, 0]], ["a", "b"])]
    series.save(tmp_path / "pay.json", kept)
    assert series.load(tmp_path / "pay.json") == kept
    assert series.load(tmp_path / "none.json") == []
    (tmp_path / "other.json").write_text('{"calls": 1}')
    with pytest.raises(FairshareError) as refused:
        series.load(tmp_path / "other.json")
    assert refused.value.reason is Reason.BAD_INPUT
