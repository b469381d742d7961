from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from eth_account import Account

from marketplace.chain import keystore
from marketplace.errors import FairshareError, Reason

QUICK = 2**4  # scrypt work: these keys guard nothing


def test_a_key_comes_back_with_its_password(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "owner.json"
    account = keystore.create(path, "correct horse", scrypt_work=QUICK)
    assert keystore.load(path, "correct horse").key == account.key
    assert keystore.address_in(path) == account.address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert account.key.hex() not in path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["owner.json"]


def test_wrong_password(tmp_path: Path) -> None:
    keystore.create(tmp_path / "k", "right", scrypt_work=QUICK)
    with pytest.raises(FairshareError) as caught:
        keystore.load(tmp_path / "k", "wrong")
    assert caught.value.reason is Reason.WRONG_PASSWORD


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "k"
    account = keystore.create(path, "right", scrypt_work=QUICK)
    with pytest.raises(FairshareError, match="never overwritten"):
        keystore.create(path, "other", scrypt_work=QUICK)
    assert keystore.load(path, "right").key == account.key


def test_standard_keystores_of_other_programs_open(tmp_path: Path) -> None:
    account = Account.create()
    document = Account.encrypt(account.key, "pw", kdf="pbkdf2", iterations=16)
    (tmp_path / "k").write_text(json.dumps(document))
    assert keystore.load(tmp_path / "k", "pw").address == account.address


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"address": 3}',
        '{"crypto": {"kdf": "rot13"}, "version": 3}',
        '{"version": 9}',
        "x" * 70_000,
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k"
    path.write_text(content)
    for read in (lambda: keystore.load(path, "pw"), lambda: keystore.address_in(path)):
        with pytest.raises(FairshareError) as caught:
            read()
        assert caught.value.reason is Reason.BAD_INPUT


def test_missing_file_and_empty_password(tmp_path: Path) -> None:
    with pytest.raises(FairshareError) as caught:
        keystore.load(tmp_path / "k", "pw")
    assert caught.value.reason is Reason.NOT_FOUND
    with pytest.raises(FairshareError, match="password is empty"):
        keystore.create(tmp_path / "k", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "work",
    [
        {"kdf": "scrypt", "kdfparams": {"n": 2**24, "r": 8, "p": 1, "dklen": 32, "salt": "00"}},  # 16 GiB
        {"kdf": "scrypt", "kdfparams": {"n": 2, "r": 2**30, "p": 1, "dklen": 32, "salt": "00"}},
        {"kdf": "scrypt", "kdfparams": {"n": 2, "r": 8, "p": 2**20, "dklen": 32, "salt": "00"}},
        {"kdf": "scrypt", "kdfparams": {"n": 2, "r": 8, "p": 1, "dklen": 2**30, "salt": "00"}},
        {"kdf": "scrypt", "kdfparams": {"n": "2", "r": 8, "p": 1, "dklen": 32, "salt": "00"}},
        {"kdf": "pbkdf2", "kdfparams": {"c": 10**12, "dklen": 32, "prf": "hmac-sha256", "salt": "00"}},
    ],
)
def test_a_password_is_not_tried_at_any_price(tmp_path: Path, work: dict[str, object]) -> None:
    path = tmp_path / "k"
    keystore.create(path, "right", scrypt_work=QUICK)
    document = json.loads(path.read_text())
    document["crypto"].update(work)
    path.write_text(json.dumps(document))
    with pytest.raises(FairshareError) as caught:
        keystore.load(path, "right")
    assert caught.value.reason is Reason.BAD_INPUT
