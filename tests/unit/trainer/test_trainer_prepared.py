"""What a trainer keeps of a round before anything leaves it, and how it doubts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError
from marketplace.node.journal import Journal
from marketplace.storage.cid import cid_of
from trainer_node.challenging import Doubt
from trainer_node.prepared import Own, Prepared
from zk.curve import Point

OWN = Own(np.array([3, -4, 0], dtype=np.int16), Point(1, 2), b"sealed", b"k" * 32)
PREPARED = Prepared.of(4, b"d" * 32, 1, OWN)


def test_what_is_kept_is_recalled(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        assert Prepared.recall(journal, 7, 4) is None
        PREPARED.keep(journal, 7)
    with Journal(tmp_path / "journal") as journal:
        found = Prepared.recall(journal, 7, 4)
        assert found is not None
        assert found.own is not None
        assert (found.round, found.digest, found.aggregator_index) == (4, b"d" * 32, 1)
        assert found.cid == cid_of(b"sealed")
        assert found.own.update.tolist() == [3, -4, 0]
        assert (found.own.commitment, found.own.blob, found.own.content_key) == ((1, 2), b"sealed", b"k" * 32)
        assert Prepared.recall(journal, 7, 5) is None
        assert Prepared.recall(journal, 8, 4) is None


def test_anothers_submission_has_nothing_of_our_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        Prepared(4, b"d" * 32, cid_of(b"theirs"), 0, None).keep(journal, 7)
        found = Prepared.recall(journal, 7, 4)
        assert found is not None
        assert found.own is None


def test_a_journal_that_was_tampered_with_is_noticed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        PREPARED.keep(journal, 7)
        journal.put_blob(7, 4, "packed-update", b"something else")
        with pytest.raises(FairshareError):
            Prepared.recall(journal, 7, 4)


def test_doubts_are_as_frequent_as_wanted_and_survive_restarts() -> None:
    rounds = range(1, 4001)
    for rate in (0.0, 0.05, 0.5, 1.0):
        struck = [Doubt(rate, 11).strikes(round_) for round_ in rounds]
        assert abs(sum(struck) / len(struck) - rate) < 0.03
        assert struck == [Doubt(rate, 11).strikes(round_) for round_ in rounds]
    assert [Doubt(0.5, 1).strikes(r) for r in rounds] != [Doubt(0.5, 2).strikes(r) for r in rounds]
