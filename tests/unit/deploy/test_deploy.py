"""What deploy/ runs is what the command line takes, and what it shows is what nodes serve."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from marketplace.chain.compile import project_root
from marketplace.cli.main import FairshareGroup
from marketplace.errors import EXIT_STATUS, Reason
from marketplace.node.options import NAMES
from marketplace.node.places import read_place
from marketplace.node.telemetry.exporter import Identity, NodeCollector
from marketplace.node.telemetry.health import Patience, Probed
from marketplace.node.telemetry.hooks import Work
from marketplace.node.telemetry.probe import Found
from marketplace.node.telemetry.record import Record

DEPLOY = project_root() / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
PROGRAM = "/opt/fairshare/.venv/bin/fairshare"
VARIABLES = {f"FAIRSHARE_{name.upper()}" for name in NAMES} | {"FAIRSHARE_METRICS"}
# After these a node is not started again: only a person can mend them.
FOR_PEOPLE = {
    *(Reason.BAD_INPUT, Reason.BAD_SPEC, Reason.BAD_DATA, Reason.TOO_LARGE, Reason.WRONG_PASSWORD),
    *(Reason.NOT_FOUND, Reason.DEADLINE_PASSED, Reason.REFUSED, Reason.WRONG_CHAIN, Reason.NO_CONTRACT),
    Reason.TOOL_MISSING,
}


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the real command would be called with; raises what it would refuse them with."""
    command = typer.main.get_command(FairshareGroup.sources[arguments[0]].load())
    context = command.commands[arguments[1]].make_context(arguments[1], arguments[2:])  # type: ignore[attr-defined]
    return dict(context.params)


def settings(path: Path) -> dict[str, str]:
    """Of a .env file."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def entries(unit: Path) -> list[tuple[str, str]]:
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return [(name, value) for name, value in (line.split("=", 1) for line in lines)]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file with the example's settings in it."""
    text, given = (DEPLOY / "compose.yaml").read_text(), settings(DEPLOY / "example.env")

    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(":")
        assert name in given or default.startswith("-"), f"example.env does not say {name}"
        return given.get(name, default.removeprefix("-"))

    document: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{([^}]*)\}", value, text))
    return document


@pytest.mark.parametrize("name", ["trainer", "aggregator"])
def test_the_compose_file_runs_real_commands(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    given = parsed([str(word) for word in service["command"]])
    assert set(service["environment"]) <= VARIABLES
    if name == "aggregator":
        place = read_place(given["listen"])
        assert any(port.endswith(f":{place[1]}") for port in service["ports"])
    for secret in service["secrets"]:
        assert secret in compose["secrets"]
        assert f"/run/secrets/{secret}" in service["environment"].values()
    named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")}
    assert named <= set(compose["volumes"])
    assert service["depends_on"].keys() <= set(compose["services"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_images_are_pinned_and_the_node_is_not_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+", base) for base in bases)
    last = len(lines) - lines[::-1].index("FROM " + bases[-1]) - 1
    assert "USER 10001" in lines[last:]
    assert any(line.startswith("HEALTHCHECK ") for line in lines[last:])
    copied = {word for line in lines if re.match(r"COPY [^-]", line) for word in line.split()[1:-1]}
    assert all((project_root() / name).exists() for name in copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all(re.search(r":v?\d+\.\d+\.\d+$", name) for name in _storage_images())


def _storage_images() -> Iterator[str]:
    text = (DEPLOY / "compose.yaml").read_text()
    yield from re.findall(r"image: (\S+/\S+)", text)


def test_the_health_check_of_the_image_follows_the_page() -> None:
    """Its very command, against pages that say yes and no."""
    from fastapi import FastAPI, Response

    from marketplace.node.listening import serving

    (line,) = re.findall(r'CMD (\["python".*\])', (DEPLOY / "Dockerfile").read_text())
    command = json.loads(line)
    app, status = FastAPI(), [200]

    @app.get("/healthz")
    def healthz() -> Response:
        return Response(status_code=status[0])

    with serving(app, "127.0.0.1", 0) as port:
        assert "'127.0.0.1', 9464," in command[2]
        program = command[2].replace("9464", str(port))
        for said, exit_status in ((200, 0), (503, 1)):
            status[0] = said
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
            )
            assert done.returncode == exit_status


@pytest.mark.parametrize("unit", UNITS, ids=[unit.stem for unit in UNITS])
def test_units_run_real_commands_with_real_settings(unit: Path) -> None:
    given = entries(unit)
    (line,) = (value for name, value in given if name == "ExecStart")
    program, *arguments = shlex.split(line.replace("%i", "7").replace("%S", "/var/lib"))
    assert program == PROGRAM
    parsed([word for word in arguments if word != "$OPTIONS"])
    variables = [
        value.split("=")[0] for name, values in given if name == "Environment" for value in values.split()
    ]
    assert {name for name in variables if name.startswith("FAIRSHARE_")} <= VARIABLES
    (statuses,) = (value for name, value in given if name == "RestartPreventExitStatus")
    assert set(map(int, statuses.split())) == {EXIT_STATUS[reason] for reason in FOR_PEOPLE}
    (role,) = {value.split("/")[3].split(".")[0] for name, value in given if name == "EnvironmentFile"}
    assert role in unit.name
    credentials = {value.split(":")[0] for name, value in given if name == "LoadCredential"}
    used = set(re.findall(r"%d/(\w+)", unit.read_text()))
    assert credentials == used == {"keystore", "password"}


def test_what_units_take_from_their_environment_is_a_setting() -> None:
    text = (DEPLOY / "systemd" / "example.env").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    assert named <= VARIABLES | {"OPTIONS"}
    assert read_place(settings(DEPLOY / "systemd" / "example.env")["FAIRSHARE_METRICS"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=[unit.stem for unit in UNITS])
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    made = tmp_path / unit.name.replace("@", "@7")
    made.write_text(unit.read_text().replace(PROGRAM, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(made)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    newer = ("RestartSteps", "RestartMaxDelaySec")  # of systemd 254; older ones leave them out and say so
    problems = [line for line in done.stderr.splitlines() if not any(name in line for name in newer)]
    assert (done.returncode, [line for line in problems if unit.stem in line]) == (0, [])


def test_dashboard_and_alerts_ask_for_metrics_that_nodes_have() -> None:
    board = json.loads((DEPLOY / "grafana" / "fairshare.json").read_text())
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    named = {name for expression in asked for name in re.findall(r"fairshare_\w+", expression)}
    served = _served()
    assert named <= served, named - served
    told = (project_root() / "docs" / "operating.md").read_text()
    assert {name for name in served if f"`{name}" not in told} == set()
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(places) == len(set(places))


def _served() -> set[str]:
    """Names of all samples and families that a node can have."""
    record = Record()
    found = Found(Probed(0.0, balance=1, needed=1), peers=1)
    account: Any = "0x" + 40 * "1"

    class Probe:
        pass

    probe: Any = Probe()
    probe.found = found
    names = set()
    with record.loop("x"), record.at_work(Work.TRAINING):
        for family in NodeCollector(Identity("trainer", account, 1), record, probe, Patience()).collect():
            counted = family.type == "counter"
            names.add(f"{family.name}_total" if counted else family.name)
    return names | {"fairshare_block_number", "fairshare_block_age_seconds"}
