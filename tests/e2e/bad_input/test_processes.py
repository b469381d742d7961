"""Each reason that bad input can have, in a process of its own, as a user's shell sees it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from marketplace.chain.compile import project_root
from marketplace.errors import EXIT_STATUS, Reason
from tests.e2e.bad_input.commands import AUDIT, POST, TRAIN, filled
from tests.e2e.bad_input.endpoints import closed_port
from tests.e2e.bad_input.ground import Ground, Visitor
from tests.e2e.bad_input.test_spec import with_change
from tests.support.command_line import Said, in_a_process, settings_of

R = Reason
BOUND_S = 180  # of one command, most of which is its start: a machine may have other things to do

Case = Callable[[Visitor], None]


def usage(visitor: Visitor) -> None:
    for arguments, named in (
        (("nonsense",), "nonsense"),
        (("trainer", "run", "1"), "--data"),
        (("project", "show", "1", "--colour"), "--colour"),
        (("trainer", "run", "1", "--data", "x", "--attack", "bribe"), "bribe"),
    ):
        visitor.refused_process(*arguments, reason=R.BAD_INPUT, named=[named])


def as_json(visitor: Visitor) -> None:
    visitor.refused_process("project", "show", "one", "--json", reason=R.BAD_INPUT, named=["ID"])


def bad_spec(visitor: Visitor) -> None:
    arguments = filled(visitor, POST)
    path = visitor.home / "project" / "project.toml"
    path.write_text(with_change(path.read_text(), "rounds", "", "colour = 1"))
    visitor.refused_process(*arguments, reason=R.BAD_SPEC, named=["rounds.colour"])


def too_large(visitor: Visitor) -> None:
    arguments = filled(visitor, POST)
    path = visitor.home / "project" / "project.toml"
    path.write_text(with_change(path.read_text(), "task", "features", "features = 40000"))
    visitor.refused_process(*arguments, reason=R.TOO_LARGE, named=["100000"])


def bad_data(visitor: Visitor) -> None:
    path = visitor.home / "data.npz"
    np.savez(path, X=np.full((9, 4), np.nan, dtype=np.float32), y=np.zeros(9, dtype=np.int64))
    visitor.refused_process(*filled(visitor, TRAIN), reason=R.BAD_DATA, named=[str(path), "NaN"])


def wrong_password(visitor: Visitor) -> None:
    visitor.refused_process(
        *filled(visitor, TRAIN), password_file="", password="guess", reason=R.WRONG_PASSWORD
    )


def no_funds(visitor: Visitor) -> None:
    pauper = Visitor(visitor.ground, visitor.home, "pauper")
    pauper.refused_process(*filled(pauper, TRAIN), reason=R.NO_FUNDS, named=["0.001 coins"])


def not_found(visitor: Visitor) -> None:
    visitor.refused_process(*filled(visitor, TRAIN, 999), reason=R.NOT_FOUND, named=["999"])


def deadline_passed(visitor: Visitor) -> None:
    late = visitor.ground.posted["late"]
    visitor.refused_process(*filled(visitor, TRAIN, late), reason=R.DEADLINE_PASSED, named=["joining"])


def refused(visitor: Visitor) -> None:
    visitor.refused_process(
        "project", "cancel", str(visitor.ground.posted["open"]), reason=R.REFUSED, named=["cancel"]
    )


def wrong_chain(visitor: Visitor) -> None:
    visitor.refused_process(*filled(visitor, TRAIN), "--chain-id", "1", reason=R.WRONG_CHAIN, named=["31337"])


def no_contract(visitor: Visitor) -> None:
    empty = "0x" + "11" * 20
    visitor.refused_process(*filled(visitor, TRAIN), market=empty, reason=R.NO_CONTRACT, named=[empty])


def chain_unreachable(visitor: Visitor) -> None:
    rpc = f"http://127.0.0.1:{closed_port()}"
    began = time.monotonic()
    leave = filled(visitor, ("trainer", "leave", "{project}"))
    visitor.refused_process(*leave, rpc=rpc, reason=R.CHAIN_UNREACHABLE, named=[rpc])
    assert 3 < time.monotonic() - began < BOUND_S, "tried again, and not for ever"


def storage_unreachable(visitor: Visitor) -> None:
    storage = f"/ip4/127.0.0.1/tcp/{closed_port()}/http"
    visitor.refused_process(
        *filled(visitor, TRAIN), storage=storage, reason=R.STORAGE_UNREACHABLE, named=[storage]
    )


# The command line, but for the minute that a node waits for a project's files.
HASTY = """
from marketplace.cli.main import main
from marketplace.node.project import load_project
load_project.__kwdefaults__["timeout_s"] = 3.0
main()
"""


def unavailable(visitor: Visitor) -> None:
    """With a node of its own that knows no peer: nobody serves the spec."""
    block = visitor.ground.owner.client.latest_block().number
    done = subprocess.run(
        [sys.executable, "-c", HASTY, *filled(visitor, TRAIN)],
        env=settings_of(visitor.environment(storage=""), visitor.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    Said(done.returncode, done.stdout, done.stderr).assert_refused(R.UNAVAILABLE, ["nobody serves Qm"])
    assert visitor.ground.transactions_since(block) == 0


def integrity(visitor: Visitor) -> None:
    hostile = visitor.ground.posted["no model"]
    visitor.refused_process(*filled(visitor, TRAIN, hostile), reason=R.INTEGRITY, named=["model"])


def audit_failed(visitor: Visitor) -> None:
    hostile = visitor.ground.posted["no model"]
    said = in_a_process(filled(visitor, AUDIT, hostile), visitor.environment(), visitor.home)
    assert said.status == EXIT_STATUS[R.AUDIT_FAILED], said
    assert "DOES NOT HOLD" in said.stdout
    assert "Traceback" not in said.stderr


def tool_missing(visitor: Visitor) -> None:
    """The package where its contracts are not: installed away from its checkout."""
    away = visitor.home / "away"
    for package in ("marketplace", "zk", "trainer_node", "aggregator"):
        shutil.copytree(
            project_root() / package, away / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    environment = {"PYTHONPATH": str(away), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = ("devnet", "up", "--foreground", "--port", "0", "--dir", str(visitor.home / "net"))
    said = in_a_process(arguments, environment, visitor.home)
    said.assert_refused(R.TOOL_MISSING, ["make setup"])


# What is told apart by how a process starts, waits or ends; in an order, the longest first.
USUAL: tuple[Case, ...] = (
    unavailable,
    chain_unreachable,
    usage,
    as_json,
    wrong_chain,
    audit_failed,
    tool_missing,
)
# These the other files here try within one process, with many commands.
OTHERS: tuple[Case, ...] = (
    bad_spec,
    too_large,
    bad_data,
    wrong_password,
    no_funds,
    not_found,
    deadline_passed,
    refused,
    no_contract,
    storage_unreachable,
    integrity,
)


@pytest.mark.timeout(60 * len((*USUAL, *OTHERS)))  # each of which takes seconds where nothing else runs
@pytest.mark.parametrize(
    "cases", [USUAL, pytest.param(OTHERS, marks=pytest.mark.deep)], ids=["usual", "others"]
)
def test_every_reason_as_a_shell_sees_it(ground: Ground, tmp_path: Path, cases: tuple[Case, ...]) -> None:
    ground.project("open")
    ground.project("late", **{"rounds.join_window": 1})
    ground.hostile("no model", ground.spec(initial_model=ground.owner.store.add(b"a model")))

    def tried(case: Case) -> None:
        home = tmp_path / case.__name__
        home.mkdir()
        case(Visitor(ground, home))

    with ThreadPoolExecutor(4) as pool:
        results = {case.__name__: pool.submit(tried, case) for case in cases}
    failures = {name: result.exception() for name, result in results.items() if result.exception()}
    assert not failures, "\n\n".join(f"{name}: {error}" for name, error in failures.items())
