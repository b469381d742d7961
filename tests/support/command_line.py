"""The `fairshare` command line as a user calls it, in this process or one of its own, and what a refusal must be."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from marketplace.cli.main import main
from marketplace.errors import EXIT_STATUS, Reason
from tests.support import processes


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    def assert_refused(self, reason: Reason, named: Sequence[str], *, json_wanted: bool = False) -> None:
        """Its reason's exit status and one line that names each of `named`; nothing like a traceback."""
        told = f"{self.status}\n{self.stdout}\n{self.stderr}"
        assert self.status == EXIT_STATUS[reason], told
        assert "Traceback" not in self.stderr, told
        errors = [line for line in self.stderr.splitlines() if line.startswith("error[")]
        assert len(errors) == 1, told
        assert errors[0].startswith(f"error[{reason}]: "), told
        assert self.stderr.endswith(errors[0] + "\n"), told
        for word in named:
            assert word in errors[0], told
        if not json_wanted:
            assert self.stdout == "", told
            return
        error = json.loads(self.stdout)["error"]
        assert set(error) == {"code", "message", "hint"}
        assert error["code"] == reason
        assert error["message"]
        assert "\n" not in error["message"]


def in_process(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Said:
    """Runs the command line in `folder` without the price of a process."""
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    with (
        mock.patch.dict(os.environ, settings_of(environment, folder), clear=True),
        mock.patch.object(sys, "argv", ["fairshare", *arguments]),
        _working_in(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
    assert isinstance(status, int)
    return Said(status, out.getvalue(), err.getvalue())


def in_a_process(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Said:
    """Runs the command line as a user's shell does."""
    settings = settings_of(environment, folder)
    unset = {name: "" for name in os.environ if name.startswith(("FAIRSHARE_", "XDG_"))}
    done = processes.run(arguments, {**unset, **settings})
    return Said(done.returncode, done.stdout, done.stderr)


def settings_of(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """This process's environment with another home and no settings but `environment`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRSHARE_", "XDG_"))}
    return {**kept, "HOME": str(folder), "OMP_NUM_THREADS": "1", **environment}


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    with contextlib.chdir(folder):
        yield
