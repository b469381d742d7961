"""How a batch is shared: every row once, and gradients that add up to the batch's mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.learning.engine.batches import batches, shares
from marketplace.spec.sections import TrainingSection


@given(rows=st.integers(1, 70), accumulate=st.integers(1, 20), size=st.integers(1, 9))
def test_every_row_counts_once(rows: int, accumulate: int, size: int) -> None:
    batch = np.random.default_rng(0).permutation(1000)[:rows]
    team = [shares(batch, accumulate, rank, size) for rank in range(size)]
    assert len({len(made) for made in team}) == 1  # they wait for each other in each share
    total = dict.fromkeys(batch.tolist(), 0.0)
    for made in team:
        for share in made:
            assert len(share.rows)
            for row in share.rows.tolist():
                total[row] += share.weight / len(share.rows) / size
    np.testing.assert_allclose(list(total.values()), 1 / rows)


def test_alone_and_uncut_a_batch_is_itself() -> None:
    batch = np.arange(13)
    (share,) = shares(batch, 1, 0, 1)
    np.testing.assert_array_equal(share.rows, batch)
    assert share.weight == 1.0


def test_each_epoch_has_every_row_in_another_order() -> None:
    training = TrainingSection(epochs=2, batch_size=4, learning_rate=0.1, clip_norm=1.0)
    made = list(batches(10, training, 3))
    assert [len(batch) for batch in made] == [4, 4, 2] * 2
    first, second = np.concatenate(made[:3]), np.concatenate(made[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.concatenate(list(batches(10, training, 4))[:3]))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_without_a_row_of_its_own_still_takes_part(rank: int) -> None:
    (share,) = shares(np.array([5]), 1, rank, 2)
    assert share.rows.tolist() == [5]
    assert share.weight == (2.0 if rank == 0 else 0.0)
