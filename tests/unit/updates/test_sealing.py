"""Encryption keys on disk and sealed boxes."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.updates.sealing import SEALED_KEY_BYTES, EncryptionKey, seal_key

KEY = EncryptionKey.generate()


def test_a_key_is_saved_for_its_owner_only_and_never_replaced(tmp_path):
    path = tmp_path / "keys" / "encryption.key"
    KEY.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert EncryptionKey.load(path).public == KEY.public
    with pytest.raises(FairshareError) as refusal:
        EncryptionKey.generate().save(path)
    assert refusal.value.reason is Reason.BAD_INPUT
    assert EncryptionKey.load(path).public == KEY.public
    assert os.listdir(path.parent) == [path.name]


def test_a_key_file_that_is_missing_open_or_damaged_is_refused(tmp_path):
    path = tmp_path / "key"
    with pytest.raises(FairshareError) as refusal:
        EncryptionKey.load(path)
    assert refusal.value.reason is Reason.NOT_FOUND
    KEY.save(path)
    path.chmod(0o640)
    with pytest.raises(FairshareError, match="others may read"):
        EncryptionKey.load(path)
    path.chmod(0o600)
    for content in (b"", b"x" * 31, b"x" * 33):
        path.write_bytes(content)
        with pytest.raises(FairshareError) as refusal:
            EncryptionKey.load(path)
        assert refusal.value.reason is Reason.BAD_INPUT
    with pytest.raises(FairshareError) as refusal:
        EncryptionKey.load(tmp_path)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_no_text_of_a_key_holds_its_secret(tmp_path):
    KEY.save(tmp_path / "key")
    assert (tmp_path / "key").read_bytes().hex() not in repr(KEY) + str(KEY)


@given(st.binary(min_size=32, max_size=32))
def test_a_content_key_opens_for_its_recipient_only(content_key):
    box = seal_key(content_key, KEY.public)
    assert len(box) == SEALED_KEY_BYTES
    assert KEY.open_box(box) == content_key
    with pytest.raises(FairshareError) as refusal:
        EncryptionKey.generate().open_box(box)
    assert refusal.value.reason is Reason.INTEGRITY


@given(st.one_of(st.binary(max_size=100), st.binary(min_size=80, max_size=80)))
def test_arbitrary_boxes_are_refused(box):
    with pytest.raises(FairshareError) as refusal:
        KEY.open_box(box)
    assert refusal.value.reason is Reason.INTEGRITY


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31)])
def test_a_recipient_key_of_the_wrong_length_or_small_order_is_refused(public):
    with pytest.raises(FairshareError) as refusal:
        seal_key(bytes(32), public)
    assert refusal.value.reason is Reason.INTEGRITY


def test_keys_of_other_lengths_are_refused():
    for make in (lambda: EncryptionKey.from_bytes(b"short"), lambda: seal_key(b"short", KEY.public)):
        with pytest.raises(FairshareError) as refusal:
            make()
        assert refusal.value.reason is Reason.BAD_INPUT
