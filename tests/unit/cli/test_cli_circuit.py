"""`fairshare circuit`: sizes and shapes of either range."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.cli.main import main
from marketplace.errors import EXIT_STATUS, Reason
from zk import catalogue

Circuit = Callable[..., tuple[Any, dict[str, Any]]]


@pytest.fixture
def circuit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Circuit:
    """Runs a sub-command; its exit status and document."""

    def run(*arguments: str) -> tuple[Any, dict[str, Any]]:
        command = ["fairshare", "circuit", *arguments, "--json", "--cache-dir", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.chdir(tmp_path)
        status: Any = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return status or 0, json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("range", ["disputed", "proven"])
def test_the_range_names_the_circuit(circuit: Circuit, range: str) -> None:
    _, shown = circuit("show", "8", "650", "--range", range)
    shape = catalogue.shape_for(8, 650, "proven" if range == "proven" else "disputed")
    assert (shown["slots"], shown["length"], shown["range"]) == (8, shape.length, range)


def test_what_is_proven_costs_more(circuit: Circuit) -> None:
    (_, disputed), (_, proven) = (
        circuit("show", "8", "650", "--range", name) for name in ("disputed", "proven")
    )
    assert proven["proof_cpu_s"] > 2 * disputed["proof_cpu_s"]
    assert proven["proof_memory_bytes"] > 2 * disputed["proof_memory_bytes"]


def test_sizes_are_listed_by_range(circuit: Circuit) -> None:
    _, listed = circuit("list", "--slots", "8", "--range", "proven")
    assert {size["range"] for size in listed["sizes"]} == {"proven"}


def test_another_range_is_refused(circuit: Circuit) -> None:
    status, refused = circuit("show", "8", "650", "--range", "trusted")
    assert status == EXIT_STATUS[Reason.BAD_INPUT]
    assert refused["error"]["hint"] == "use one of disputed, proven"
