"""Files and folders that are missing, unreadable or something else: named, and nothing half done."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from marketplace.chain import keystore
from marketplace.errors import Reason
from tests.e2e.bad_input.commands import (
    ADDRESSED,
    AUDIT,
    MODEL,
    POST,
    SERVE,
    SIGNING,
    TRAIN,
    WATCH,
    Command,
    filled,
    name,
)
from tests.e2e.bad_input.ground import Visitor, write_project
from tests.support.live_market import project_file


@pytest.fixture
def occupied(visitor: Visitor) -> Path:
    """A file where a folder should be."""
    path = visitor.home / "occupied"
    path.write_text("a file")
    return path


@pytest.mark.parametrize("command", SIGNING, ids=name)
def test_a_wrong_password_opens_nothing(visitor: Visitor, command: Command) -> None:
    (visitor.home / "password").write_text("not this one\n")
    arguments = filled(visitor, command)
    for settings in ({"password_file": "password"}, {"password_file": "", "password": "nor this"}):
        visitor.refused(*arguments, **settings, reason=Reason.WRONG_PASSWORD, named=["stranger.json"])


@pytest.mark.parametrize("command", SIGNING, ids=name)
def test_a_password_that_is_not_given_is_asked_for(visitor: Visitor, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(*arguments, password_file="", reason=Reason.BAD_INPUT, named=["password"])
    visitor.refused(*arguments, password_file="none", reason=Reason.BAD_INPUT, named=["none"])
    visitor.refused(
        *arguments, password_file=str(visitor.home), reason=Reason.BAD_INPUT, named=[str(visitor.home)]
    )


@pytest.mark.parametrize("command", SIGNING + ADDRESSED, ids=name)
def test_a_keystore_that_is_none(visitor: Visitor, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(*arguments, keystore="none.json", reason=Reason.NOT_FOUND, named=["none.json"])
    for kind, content in {"empty": b"", "json": b"[]", "other": b'{"address": "0x12"}'}.items():
        (visitor.home / kind).write_bytes(content)
        visitor.refused(*arguments, keystore=kind, reason=Reason.BAD_INPUT, named=[kind])
    visitor.refused(
        *arguments, keystore=str(visitor.home), reason=Reason.BAD_INPUT, named=[str(visitor.home)]
    )


def test_a_keystore_whose_secret_is_damaged(visitor: Visitor) -> None:
    path = visitor.ground.folder / "keys" / "stranger.json"
    (visitor.home / "key.json").write_text(path.read_text().replace('"scrypt"', '"crypts"'))
    arguments = filled(visitor, TRAIN)
    visitor.refused(*arguments, keystore="key.json", reason=Reason.BAD_INPUT, named=["key.json"])


def test_a_wallet_is_never_overwritten(visitor: Visitor) -> None:
    path = visitor.home / "key.json"
    keystore.create(path, "secret", scrypt_work=2)
    visitor.refused("wallet", "new", "--keystore", str(path), reason=Reason.BAD_INPUT, named=[str(path)])


def test_a_wallet_needs_a_place_and_a_password(visitor: Visitor, occupied: Path) -> None:
    (visitor.home / "empty").write_text("\n")
    place = str(occupied / "key.json")
    visitor.refused("wallet", "new", "--keystore", place, reason=Reason.BAD_INPUT, named=[str(occupied)])
    arguments = ("wallet", "new", "--keystore", "key.json")
    visitor.refused(*arguments, password_file="empty", reason=Reason.BAD_INPUT, named=["password"])


@pytest.mark.parametrize("command", SIGNING, ids=name)
def test_a_state_directory_that_is_a_file(visitor: Visitor, occupied: Path, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(*arguments, state_dir=str(occupied), reason=Reason.BAD_INPUT, named=[str(occupied)])


@pytest.mark.parametrize("command", [MODEL, AUDIT, ("serve", "--port", "1")], ids=name)
def test_a_reader_whose_state_directory_is_a_file(visitor: Visitor, occupied: Path, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(
        *arguments, state_dir=str(occupied), storage="", reason=Reason.BAD_INPUT, named=[str(occupied)]
    )


@pytest.mark.parametrize("command", [POST, WATCH, TRAIN, MODEL, AUDIT], ids=name)
def test_a_cache_directory_that_is_a_file(visitor: Visitor, occupied: Path, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(*arguments, cache_dir=str(occupied), reason=Reason.BAD_INPUT, named=[str(occupied)])


def test_a_journal_that_is_none(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    visitor.refused("trainer", "leave", project, reason=Reason.REFUSED)
    (journal,) = visitor.home.rglob("journal.sqlite")
    for content in (b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 84):
        for path in journal.parent.glob("journal.sqlite*"):
            path.unlink()
        journal.write_bytes(content)
        said = visitor.call(*filled(visitor, TRAIN))
        said.assert_refused(Reason.INTEGRITY, [str(journal)])
        assert journal.read_bytes() == content


def test_an_encryption_key_that_is_none(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    visitor.refused("trainer", "leave", project, reason=Reason.REFUSED)
    (journal,) = visitor.home.rglob("journal.sqlite")
    key = journal.parent / "encryption" / f"project-{project}.key"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(b"short")
    visitor.refused(*filled(visitor, TRAIN), reason=Reason.BAD_INPUT, named=[str(key)])
    assert key.read_bytes() == b"short"


def test_a_log_file_that_cannot_be_written(visitor: Visitor, occupied: Path) -> None:
    for command in (TRAIN, SERVE):
        arguments = filled(visitor, command)
        for place, named in ((occupied / "log", occupied), (visitor.home, visitor.home)):
            visitor.refused(*arguments, "--log-file", str(place), reason=Reason.BAD_INPUT, named=[str(named)])


def test_a_model_that_cannot_be_written(visitor: Visitor, occupied: Path) -> None:
    project = str(visitor.ground.project("open"))
    for place in (str(occupied / "model.npz"), str(visitor.home), "none/model.npz"):
        visitor.refused("project", "model", project, "-o", place, reason=Reason.BAD_INPUT, named=[place])


def test_an_srs_that_is_none(visitor: Visitor) -> None:
    file = str(write_project(visitor.home / "project", project_file()))
    visitor.refused("project", "post", file, "--srs", "none", reason=Reason.NOT_FOUND, named=["none"])
    (visitor.home / "srs").write_bytes(b"\x01" * 1000)
    visitor.refused("project", "post", file, "--srs", "srs", reason=Reason.INTEGRITY, named=["SRS"])


def test_a_project_folder_that_cannot_be_made(visitor: Visitor, occupied: Path) -> None:
    for place in (str(occupied), str(occupied / "below")):
        visitor.refused("project", "new", place, reason=Reason.BAD_INPUT, named=[place])
    visitor.call("project", "new", "mine")
    visitor.refused("project", "new", "mine", reason=Reason.BAD_INPUT, named=["mine/project.toml"])


def test_a_devnet_where_none_can_be(visitor: Visitor, occupied: Path) -> None:
    for place in (str(occupied), str(occupied / "below")):
        visitor.refused("devnet", "up", "--dir", place, reason=Reason.BAD_INPUT, named=[place])
        visitor.refused("devnet", "data", "--dir", place, reason=Reason.BAD_INPUT, named=[place])
    for command in ("down", "status"):
        visitor.refused("devnet", command, "--dir", "none", reason=Reason.NOT_FOUND, named=["none"])
    (visitor.home / "devnet.json").write_text("{}")
    for command in ("down", "status"):
        visitor.refused("devnet", command, "--dir", ".", reason=Reason.BAD_INPUT, named=["devnet.json"])


def test_settings_that_make_no_sense(visitor: Visitor) -> None:
    file = visitor.home / "fairshare.toml"
    cases = ("rpc = 5", "colour = 'red'", "rpc = ", "[project]\nkeystores = 'x'", "peers = 'one'", "\xff")
    for content in cases:
        file.write_text(content, "latin-1")
        visitor.refused("project", "list", reason=Reason.BAD_INPUT, named=["fairshare.toml"])


def test_an_address_that_cannot_be_had(visitor: Visitor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments in ((), ("--json",)):
            visitor.refused("serve", "--port", port, *arguments, reason=Reason.BAD_INPUT, named=[port])
    visitor.refused(
        "serve", "--host", "no.such.host.invalid", reason=Reason.BAD_INPUT, named=["no.such.host"]
    )
    visitor.refused("serve", "--port", "65536", reason=Reason.BAD_INPUT, named=["--port"])
