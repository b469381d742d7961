"""The command tree is the one in the contract with users."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from aggregator.behaviour import Attack as AggregatorAttack
from marketplace.cli.main import FairshareGroup
from marketplace.devnet.demo.cast import AGGREGATOR_ATTACKS, ROLE_NAMES, TRAINER_ATTACKS
from marketplace.node.options import NAMES
from trainer_node.behaviour import Attack as TrainerAttack

GROUPS = {
    "devnet": {"up", "down", "status"},
    "wallet": {"new", "show"},
    "project": {
        *("new", "post", "serve", "watch", "list", "show"),
        *("model", "reveal", "settle", "cancel", "refund"),
    },
    "circuit": {"list", "show", "make", "srs"},
    "trainer": {"check", "run", "status", "explain", "claim", "leave"},
    "aggregator": {"run", "status"},
    "signer": {"run"},
}
SINGLE = ("challenge", "demo", "audit", "doctor", "serve")


def command(name: str) -> Any:
    return typer.main.get_command(FairshareGroup.sources[name].load())


def every_command() -> list[tuple[str, Any]]:
    found = [(name, command(name)) for name in SINGLE]
    for name in GROUPS:
        found += _below(name, command(name))
    return found


def _below(name: str, group: Any) -> list[tuple[str, Any]]:
    found = []
    for sub, below in group.commands.items():
        path = f"{name} {sub}"
        found += _below(path, below) if hasattr(below, "commands") else [(path, below)]
    return found


@pytest.mark.parametrize("name", GROUPS)
def test_every_sub_command_is_there(name: str) -> None:
    assert GROUPS[name] <= set(command(name).commands)


@pytest.mark.parametrize(("name", "made"), every_command(), ids=[name for name, _ in every_command()])
def test_every_command_has_json_verbose_and_help(name: str, made: Any) -> None:
    options = {flag for parameter in made.params for flag in parameter.opts}
    assert {"--json", "--verbose"} <= options
    assert made.help


def test_no_option_is_there_twice() -> None:
    for name, made in every_command():
        flags = [flag for parameter in made.params for flag in parameter.opts]
        assert len(flags) == len(set(flags)), name


def test_dry_run_is_where_money_is_at_stake() -> None:
    commands = dict(every_command())
    for name in ("project post", "trainer run", "aggregator run"):
        assert any("--dry-run" in parameter.opts for parameter in commands[name].params), name


def test_shared_options_have_their_variable() -> None:
    variables = {
        parameter.envvar for parameter in dict(every_command())["project show"].params if parameter.envvar
    }
    assert variables == {f"FAIRSHARE_{name.upper()}" for name in NAMES}


def test_the_demo_knows_the_attacks_that_the_roles_know() -> None:
    known = {ROLE_NAMES.get(attack, attack) for attack in TRAINER_ATTACKS}
    assert known == {str(attack) for attack in TrainerAttack}
    assert set(AGGREGATOR_ATTACKS) == {str(attack) for attack in AggregatorAttack}
