"""What a trainer keeps of a round before anything leaves it, and how it doubts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError
from marketplace.node.journal import Journal
from marketplace.protocol.chunk_tree import Leaf
from marketplace.storage.cid import cid_of
from trainer_node.challenging import Doubt
from trainer_node.prepared import Own, Prepared, forget_before
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


def test_leaves_are_kept_with_their_update(tmp_path: Path) -> None:
    leaves = (Leaf(1, 2, b"h" * 32), Leaf(1, 2, b"i" * 32))
    own = dataclasses.replace(OWN, commitment=Point(5, len(leaves)), leaves=leaves)
    with Journal(tmp_path / "journal") as journal:
        Prepared.of(4, b"d" * 32, 1, own).keep(journal, 7)
        found = Prepared.recall(journal, 7, 4)
        assert found is not None
        assert found.own is not None
        assert found.own.committed.leaves == leaves
        assert found.own.committed.commitment == (5, 2)


def test_old_submissions_are_forgotten_and_what_else_a_round_has_is_not(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        for round_ in (1, 2, 3):
            Prepared.of(round_, b"d" * 32, 1, OWN).keep(journal, 7)
            journal.put(7, round_, "model-seen", True)
        forget_before(journal, 7, 3)
        forget_before(journal, 7, 0)
        kept = [Prepared.recall(journal, 7, round_) is not None for round_ in (1, 2, 3)]
        assert kept == [False, False, True]
        assert journal.names(7, 1) == ("model-seen",)


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
