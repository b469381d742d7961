"""Encrypted Ethereum keystores (Web3 Secret Storage, version 3, scrypt)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason

SCRYPT_WORK = 2**18  # geth's standard; a password guess costs about a second and 256 MB
_LARGEST_FILE = 64 * 1024  # bytes; a keystore is well under 1 KiB
_MOST_SCRYPT_BYTES = 1 << 30  # geth's standard takes 256 MiB
_MOST_SCRYPT_RUNS = 16
_MOST_PBKDF2_ROUNDS = 10_000_000
_MOST_KEY_BYTES = 64


def create(path: Path, password: str, *, scrypt_work: int = SCRYPT_WORK) -> LocalAccount:
    """Makes a new key and keeps it, encrypted, in a new file that only its owner can read.

    Raises BAD_INPUT when the password is empty or the file exists: a key is never overwritten.
    """
    account: LocalAccount = Account.create()
    save(path, account, password, scrypt_work=scrypt_work)
    return account


def save(path: Path, account: LocalAccount, password: str, *, scrypt_work: int = SCRYPT_WORK) -> None:
    """Keeps an existing key in a new keystore file. Raises BAD_INPUT as `create` does."""
    if not password:
        raise FairshareError(Reason.BAD_INPUT, "the password is empty", "choose a password")
    if path.exists():
        raise _exists(path)
    document = json.dumps(Account.encrypt(account.key, password, kdf="scrypt", iterations=scrypt_work))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf8") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, fails where a file already is
    except FileExistsError as error:
        raise _exists(path) from error
    finally:
        os.unlink(temporary)


def load(path: Path, password: str) -> LocalAccount:
    """The key in a keystore file. Raises NOT_FOUND, BAD_INPUT (not a keystore), WRONG_PASSWORD."""
    document = _read(path)
    _check_work(path, document)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(document, password))
    except ValueError as error:
        if "MAC mismatch" not in str(error):
            raise _not_a_keystore(path) from error
        raise FairshareError(
            Reason.WRONG_PASSWORD, f"the password does not open {path}", "try again with the right password"
        ) from error
    except (KeyError, TypeError, AttributeError, AssertionError, NotImplementedError) as error:
        raise _not_a_keystore(path) from error
    return account


def address_in(path: Path) -> Address:
    """The address a keystore says it holds; needs no password. Raises NOT_FOUND, BAD_INPUT."""
    try:
        return address("0x" + str(_read(path)["address"]).removeprefix("0x"))
    except (KeyError, ValueError) as error:
        raise _not_a_keystore(path) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise FairshareError(
            Reason.NOT_FOUND, f"there is no keystore at {path}", "make one: `fairshare wallet new`"
        ) from error
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"the keystore at {path} cannot be read: {error.strerror}", "check the path"
        ) from error
    try:
        document = json.loads(content) if len(content) <= _LARGEST_FILE else None
    except (ValueError, RecursionError) as error:
        raise _not_a_keystore(path) from error
    if not isinstance(document, dict):
        raise _not_a_keystore(path)
    return document


def _check_work(path: Path, document: Mapping[str, Any]) -> None:
    """BAD_INPUT where to try a password would take more memory or time than any program makes keystores for."""
    stated = document.get("crypto", document.get("Crypto"))
    found = stated.get("kdfparams") if isinstance(stated, dict) else None
    parameters = found if isinstance(found, dict) else {}
    n, r, p, rounds, size = (parameters.get(name, 1) for name in ("n", "r", "p", "c", "dklen"))
    if (
        not all(type(number) is int and number > 0 for number in (n, r, p, rounds, size))
        or 128 * n * r > _MOST_SCRYPT_BYTES
        or p > _MOST_SCRYPT_RUNS
        or rounds > _MOST_PBKDF2_ROUNDS
        or size > _MOST_KEY_BYTES
    ):
        raise _not_a_keystore(path)


def _exists(path: Path) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT,
        f"there is a file at {path} already",
        "choose another path: a key is never overwritten",
    )


def _not_a_keystore(path: Path) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT, f"{path} is no Ethereum keystore", "give the file that `fairshare wallet new` made"
    )
