"""Secret draws have the distributions that the accountant counts on, and follow from all of their seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from marketplace.learning.secret_draws import SEED_BYTES, SecretDraws

SEED = bytes(range(SEED_BYTES))
UNLIKELY = 1e-6  # seeds are fixed: what passes once passes always


def test_normals_are_standard_normal_and_independent() -> None:
    drawn = SecretDraws(SEED).normals(200_000)
    assert stats.kstest(drawn, "norm").pvalue > UNLIKELY
    assert stats.kstest(
        np.abs(drawn[drawn < -3]), lambda x: 1 - stats.norm.sf(x) / stats.norm.sf(3)
    ).pvalue > (UNLIKELY)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 5 / np.sqrt(len(drawn))
    assert np.isfinite(drawn).all()


def test_each_row_is_in_a_batch_by_itself() -> None:
    rows, rate, batches = 60, 0.1, 4000
    draws = SecretDraws(SEED)
    taken = np.zeros((batches, rows))
    for batch in taken:
        batch[draws.chosen(rows, rate)] = 1
    sizes = taken.sum(axis=1).astype(int)
    seen = np.bincount(sizes, minlength=16)[:16]
    expected = batches * stats.binom.pmf(np.arange(16), rows, rate)
    seen, expected = seen[1:14], expected[1:14]  # of the others fewer than five are expected
    assert ((seen - expected) ** 2 / expected).sum() < stats.chi2.ppf(1 - UNLIKELY, len(seen))
    assert abs(taken.mean(axis=0) - rate).max() < 5 * np.sqrt(rate * (1 - rate) / batches)
    pairs = np.corrcoef(taken.T)[np.triu_indices(rows, 1)]
    assert abs(pairs).max() < 6 / np.sqrt(batches)


def test_at_rate_one_everybody_is_in_it() -> None:
    assert SecretDraws(SEED).chosen(7, 1.0).tolist() == list(range(7))


def test_draws_follow_from_every_byte_of_the_seed_and_no_two_calls_are_alike() -> None:
    first = SecretDraws(SEED)
    again = SecretDraws(SEED)
    drawn = first.normals(50)
    np.testing.assert_array_equal(drawn, again.normals(50))
    assert not np.intersect1d(drawn, first.normals(50)).size
    for place in range(SEED_BYTES):  # torch's generator would look at four of them
        other = bytearray(SEED)
        other[place] ^= 1
        assert not np.intersect1d(drawn, SecretDraws(bytes(other)).normals(50)).size


@pytest.mark.parametrize("length", [0, 8, SEED_BYTES - 1, SEED_BYTES + 1])
def test_a_shorter_seed_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecretDraws(bytes(length))
