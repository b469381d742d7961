"""Flags over FAIRSHARE_* over fairshare.toml over defaults."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.cli import settings_file
from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.node.options import NAMES, PATHS, Settings
from marketplace.node.session import own_address

NOT_TEXTS = ("peers", "providers", "chain_id", "confirmations", "keep_days")

PROBE = """
import typer
from marketplace.cli import main
from marketplace.cli.lazy import Source
from marketplace.node import console
from marketplace.node.options import Settings, with_settings
import dataclasses

app = typer.Typer()

@app.command()
@with_settings
def show(settings: Settings) -> None:
    console.result(dataclasses.asdict(settings), "")

@app.command()
@with_settings
def other(settings: Settings) -> None:
    console.result({}, "")

main.FairshareGroup.sources = {"project": Source("", lambda: app), "trainer": Source("", lambda: app)}
main.main()
"""


def shown(folder: Path, *arguments: str, group: str = "project", **environment: str) -> dict[str, object]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRSHARE_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, group, "show", *arguments, "--json"],
        cwd=folder,
        env=clean | {"HOME": str(folder / "home")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_each_source_rules_over_the_next(tmp_path: Path) -> None:
    assert shown(tmp_path)["rpc"] == ["http://127.0.0.1:8545"]
    (tmp_path / "fairshare.toml").write_text('rpc = "http://file"\npeers = ["/ip4/1", "/ip4/2"]\n')
    assert shown(tmp_path)["rpc"] == ["http://file"]
    assert shown(tmp_path)["peers"] == ["/ip4/1", "/ip4/2"]
    assert shown(tmp_path, FAIRSHARE_RPC="http://env http://b")["rpc"] == ["http://env", "http://b"]
    assert shown(tmp_path, FAIRSHARE_PEERS="/a /b")["peers"] == ["/a", "/b"]
    assert shown(tmp_path, "--rpc", "http://flag", FAIRSHARE_RPC="http://env")["rpc"] == ["http://flag"]
    assert shown(tmp_path, "--rpc", "http://1", "--rpc", "http://2")["rpc"] == ["http://1", "http://2"]
    (tmp_path / "fairshare.toml").write_text('rpc = ["http://file", "http://other"]\n')
    assert shown(tmp_path)["rpc"] == ["http://file", "http://other"]


def test_what_transactions_may_cost(tmp_path: Path) -> None:
    assert shown(tmp_path)["limits"] == {"max_fee": None, "gas_budget": None}
    (tmp_path / "fairshare.toml").write_text('max_fee_gwei = 1.5\ngas_budget = "0.05 eth"\n')
    assert shown(tmp_path)["limits"] == {"max_fee": 15 * 10**8, "gas_budget": 5 * 10**16}
    flags = ("--max-fee-gwei", "40", "--gas-budget", "7")
    assert shown(tmp_path, *flags)["limits"] == {"max_fee": 40 * 10**9, "gas_budget": 7}
    for wrong in (("--max-fee-gwei", "dear"), ("--gas-budget", "-1"), ("--max-fee-gwei", "1 eth")):
        assert shown(tmp_path, *wrong)["error"]["code"] == "bad-input"  # type: ignore[index]


def test_a_group_has_its_own_table(tmp_path: Path) -> None:
    (tmp_path / "fairshare.toml").write_text('rpc = "all"\n[project]\nrpc = "owner"\nkeystore = "k.json"\n')
    assert shown(tmp_path)["rpc"] == ["owner"]
    assert shown(tmp_path)["keystore"] == str(tmp_path / "k.json")
    assert shown(tmp_path, group="trainer")["rpc"] == ["all"]


def test_the_users_file_counts_where_the_folder_has_none(tmp_path: Path) -> None:
    config = tmp_path / "home" / ".config" / "fairshare"
    config.mkdir(parents=True)
    (config / "fairshare.toml").write_text('market = "0xab"\nstate_dir = "s"\n')
    found = shown(tmp_path)
    assert found["market"] == "0xab"
    assert found["state_dir"] == str(config / "s")
    assert found["keystore"] == str(config / "s" / "keystore.json")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('rcp = "x"', "rcp"),
        ("rpc = 3", "rpc"),
        ("rpc = [3]", "rpc"),
        ('confirmations = "2"', "confirmations"),
        ('peers = "x"', "peers"),
        ("peers = [1]", "peers"),
        ('chain_id = "1"', "chain_id"),
        ("chain_id = true", "chain_id"),
        ('[trainer]\nstroage = "x"', "trainer.stroage"),
        ("rpc = ", "fairshare.toml"),
        ("\x00", "fairshare.toml"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "fairshare.toml"
    path.write_text(text)
    with pytest.raises(FairshareError) as caught:
        settings_file.defaults(path, "project")
    assert caught.value.reason is Reason.BAD_INPUT
    assert named in caught.value.message
    assert shown(tmp_path)["error"]["code"] == "bad-input"  # type: ignore[index]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fairshare.toml"
    path.write_text("".join(f'{name} = "x/y"\n' for name in NAMES if name not in NOT_TEXTS))
    found = settings_file.defaults(path, "project")
    assert {name for name, value in found.items() if value == str(tmp_path / "x" / "y")} == set(PATHS)


DEPLOYED = next((Path(__file__).parents[3] / "deployments").glob("31337-*.json"))


def test_a_deployment_says_market_chain_and_first_block(tmp_path: Path) -> None:
    held = json.loads(DEPLOYED.read_text())
    named = {"market": held["market"], "chain_id": held["chain_id"], "from_block": held["block"]}
    found = shown(tmp_path, "--deployment", str(DEPLOYED))
    assert {name: found[name] for name in named} == named
    assert shown(tmp_path)["from_block"] == 0
    (tmp_path / "here.json").write_text(DEPLOYED.read_text())
    (tmp_path / "fairshare.toml").write_text('deployment = "here.json"\n')
    found = shown(tmp_path, "--market", held["market"].lower())
    assert {name: found[name] for name in named} == named


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--deployment", str(DEPLOYED), "--chain-id", "1"), "bad-input"),
        (("--deployment", str(DEPLOYED), "--market", "0x" + "11" * 20), "bad-input"),
        (("--deployment", str(DEPLOYED), "--market", ""), "bad-input"),
        (("--deployment", "none.json"), "not-found"),
        (("--deployment", "."), "bad-input"),
    ],
)
def test_what_contradicts_a_deployment_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    assert shown(tmp_path, *arguments)["error"]["code"] == code  # type: ignore[index]


def test_exit_statuses_are_distinct() -> None:
    assert len(set(EXIT_STATUS.values())) == len(Reason)


def test_a_signers_account_has_to_be_named(tmp_path: Path) -> None:
    settings = Settings(
        rpc=("http://127.0.0.1:9",),
        market=None,
        storage=None,
        peers=(),
        keystore=tmp_path / "none.json",
        password_file=None,
        state_dir=tmp_path,
        cache_dir=tmp_path,
        signer_url="http://127.0.0.1:9",
    )
    for address in (None, "", "0x12"):
        with pytest.raises(FairshareError, match="--address") as caught:
            own_address(dataclasses.replace(settings, address=address))
        assert caught.value.reason is Reason.BAD_INPUT
    found = own_address(dataclasses.replace(settings, address="0x" + "ab" * 20))
    assert found.lower() == "0x" + "ab" * 20
