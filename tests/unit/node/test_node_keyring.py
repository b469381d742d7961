"""A node's encryption keys: one for each project, found again, destroyed in the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.node.keyring import FOLDER, SHARED, KeyRing
from marketplace.updates.sealing import EncryptionKey, seal_key

CONTENT_KEY = bytes(range(32))


def test_each_project_has_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    first, second = ring.of_project(1, None), ring.of_project(2, None)
    assert first.public != second.public
    assert ring.of_project(1, None).public == first.public
    assert KeyRing(tmp_path).of_project(1, first.public).public == first.public
    path = tmp_path / FOLDER / "project-1.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [(key.project, key.public) for key in ring.kept()] == [(1, first.public), (2, second.public)]


def test_a_project_joined_before_keys_were_rotated_keeps_the_shared_key(tmp_path: Path) -> None:
    shared = EncryptionKey.generate()
    shared.save(tmp_path / SHARED)
    ring = KeyRing(tmp_path)
    assert ring.of_project(1, shared.public).public == shared.public
    assert not (tmp_path / FOLDER).exists()
    assert ring.of_project(2, None).public != shared.public  # a new one has its own all the same
    assert not ring.destroy(1)
    assert (tmp_path / SHARED).exists()  # other projects may need it
    assert [key.project for key in ring.kept()] == [2, None]


def test_a_key_that_is_gone_is_missed_and_never_made_anew(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.of_project(1, None)
    with pytest.raises(FairshareError) as refused:
        ring.of_project(1, EncryptionKey.generate().public)
    assert refused.value.reason is Reason.NOT_FOUND


def test_what_was_sealed_to_a_destroyed_key_is_closed_for_good(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    key, other = ring.of_project(1, None), ring.of_project(2, None)
    box = seal_key(CONTENT_KEY, key.public)
    again = os.open(tmp_path / FOLDER / "project-1.key", os.O_RDONLY)
    assert ring.destroy(1)
    assert os.read(again, 64) == bytes(32)  # not only unlinked
    os.close(again)
    assert not ring.destroy(1)
    assert ring.find(key.public) is None
    for kept in ring.kept():
        assert kept.public == other.public
        with pytest.raises(FairshareError):
            EncryptionKey.load(kept.path).open_box(box)
    assert ring.of_project(1, None).public != key.public


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.of_project(1, None)
    (tmp_path / FOLDER / "project-1.key").chmod(0o644)
    with pytest.raises(FairshareError) as refused:
        ring.of_project(1, None)
    assert refused.value.reason is Reason.BAD_INPUT


def test_an_owners_key_is_that_of_what_it_posts(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    first = ring.of_posting(bytes(32))
    assert ring.of_posting(bytes(32)).public == first.public
    assert ring.of_posting(b"\x01" * 32).public != first.public
    found = ring.find(first.public)
    assert found is not None
    assert found.public == first.public
    (tmp_path / FOLDER / "notes.txt").write_text("no key")
    assert [key.project for key in ring.kept()] == [None, None]
