"""Errors are one line with their reason code; with --json one document; nothing is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.node import console
from tests.support.command_line import Said, in_process


def fairshare(folder: Path, *arguments: str) -> Said:
    return in_process(arguments, {}, folder)


CASES: list[tuple[list[str], Reason, str]] = [
    (["nonsense"], Reason.BAD_INPUT, "nonsense"),
    (["trainer", "run"], Reason.BAD_INPUT, "ID"),
    (["trainer", "run", "x", "--data", "d"], Reason.BAD_INPUT, "'ID'"),
    (["project", "show", "0"], Reason.BAD_INPUT, "ID"),
    (["project", "show", "1"], Reason.BAD_INPUT, "no market"),
    (["project", "show", "1", "--market", "0x12"], Reason.BAD_INPUT, "0x12"),
    (["project", "post", "none.toml"], Reason.NOT_FOUND, "none.toml"),
    (["project", "new", "d", "--task", "poetry"], Reason.BAD_INPUT, "poetry"),
    (["wallet", "show"], Reason.NOT_FOUND, "keystore"),
    (["wallet", "new"], Reason.BAD_INPUT, "password"),
    (["wallet", "new", "--password-file", "none"], Reason.BAD_INPUT, "none"),
    (["devnet", "down"], Reason.NOT_FOUND, "devnet"),
    (["demo", "--attack", "bribe@1"], Reason.BAD_INPUT, "bribe"),
    (["demo", "--attack", "copy@10"], Reason.BAD_INPUT, "copy@10"),
    (["demo", "--dataset", "mnist"], Reason.BAD_INPUT, "mnist"),
    (["demo", "--trainers", "2"], Reason.BAD_INPUT, "2 trainers"),
]


@pytest.mark.parametrize(("arguments", "reason", "named"), CASES, ids=[" ".join(c[0]) for c in CASES])
def test_bad_input_is_one_line_with_its_reason(
    tmp_path: Path, arguments: list[str], reason: Reason, named: str
) -> None:
    done = fairshare(tmp_path, *arguments)
    assert done.status == EXIT_STATUS[reason], done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"error[{reason}]: ")
    assert named in line
    assert not list(tmp_path.iterdir()), "something was written"


def test_with_json_an_error_is_the_one_document(tmp_path: Path) -> None:
    done = fairshare(tmp_path, "wallet", "show", "--json")
    error = json.loads(done.stdout)["error"]
    assert (error["code"], done.status) == ("not-found", EXIT_STATUS[Reason.NOT_FOUND])
    assert error["message"]
    assert error["hint"]


def test_details_come_with_verbose_only(tmp_path: Path) -> None:
    quiet = fairshare(tmp_path, "wallet", "show")
    loud = fairshare(tmp_path, "wallet", "show", "--verbose")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_a_wallet_is_made_shown_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    arguments = ["--keystore", "key.json", "--password-file", "password"]
    made = json.loads(fairshare(tmp_path, "wallet", "new", *arguments, "--json").stdout)
    content = (tmp_path / "key.json").read_bytes()
    again = fairshare(tmp_path, "wallet", "new", *arguments)
    assert again.status == EXIT_STATUS[Reason.BAD_INPUT]
    assert (tmp_path / "key.json").read_bytes() == content
    assert json.loads(content)["address"].lower() in made["address"].lower()
    assert (tmp_path / "key.json").stat().st_mode & 0o077 == 0


def test_help_waits_for_no_library(tmp_path: Path) -> None:
    probe = (
        "import sys\nfrom marketplace.cli.main import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "slow = {'web3', 'torch', 'numpy', 'ezkl', 'pydantic', 'trainer_node', 'aggregator'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for command in (
        "demo",
        "devnet",
        "wallet",
        "project",
        "trainer",
        "aggregator",
        "audit",
        "doctor",
        "serve",
    ):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (FairshareError(Reason.REFUSED, "no"), EXIT_STATUS[Reason.REFUSED]),
        (KeyboardInterrupt(), console.INTERRUPTED),
        (ZeroDivisionError("oops"), EXIT_STATUS[Reason.INTERNAL]),
    ],
)
def test_whatever_ends_a_command_has_a_status_and_no_traceback(
    raised: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise raised

    console.configure()
    assert console.run(command) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def test_strangers_words_cannot_rule_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure()
    console.report(FairshareError(Reason.BAD_SPEC, "name\x1b[2J\nsecond line"))
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert said.count("\n") == 1
