"""Commitments: linear, equal to the proof's, and refused for anything but the circuit's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from zk import curve
from zk.commit import Committer
from zk.files import CircuitFiles

int16 = st.integers(-(2**15), 2**15 - 1)
vectors = st.lists(int16, min_size=4, max_size=4).map(lambda values: np.array(values, dtype=np.int64))


@settings(max_examples=25, deadline=None)
@given(a=vectors, b=vectors)
def test_commitments_add_up(files: CircuitFiles, a: np.ndarray, b: np.ndarray) -> None:
    committer = Committer(files)
    together = curve.moved(committer.commit(a), [committer.commit(b)], committer.zero)
    assert together == committer.commit(a + b)
    assert curve.moved(committer.commit(a), [committer.commit(-a)], committer.zero) == committer.zero


def test_the_zero_vector_gives_c_0(files: CircuitFiles) -> None:
    assert Committer(files).commit(np.zeros(4, dtype=np.int16)) == files.zero
    assert files.zero != curve.INFINITY
    assert curve.is_on_curve(files.zero)


def test_every_integer_type_gives_the_same_commitment(files: CircuitFiles) -> None:
    committer = Committer(files)
    vector = np.array([1, -2, 3, -4])
    commitments = {committer.commit(vector.astype(kind)) for kind in (np.int8, np.int16, np.int32, np.int64)}
    assert len(commitments) == 1


def test_a_model_commits_beyond_int16(files: CircuitFiles) -> None:
    committer = Committer(files)
    model = np.array([2**31 - 1, -(2**31), 0, 1], dtype=np.int32)
    assert (
        curve.moved(committer.commit(model), [committer.commit(-model.astype(np.int64))], files.zero)
        == files.zero
    )


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(3, dtype=np.int16),
        np.zeros((1, 4), dtype=np.int16),
        np.zeros(4),
        np.zeros(4, dtype=bool),
        np.array([1, 2, 3, 4], dtype=object),
    ],
)
def test_other_vectors_are_refused(files: CircuitFiles, vector: np.ndarray) -> None:
    with pytest.raises(FairshareError) as refused:
        Committer(files).commit(vector)
    assert refused.value.reason is Reason.BAD_INPUT
