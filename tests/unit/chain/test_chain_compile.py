from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.chain import compile as compile_module
from marketplace.chain.artifacts import from_json, to_json
from marketplace.chain.compile import compile_contracts, compile_source, compiler_settings, project_root
from marketplace.errors import FairshareError, Reason

BOX = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.30;\ncontract Box { uint256 public immutable v; "
BOX += "constructor(uint256 given) { v = given; } }"


@pytest.fixture
def other_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with sources but without a build folder; packages are linked in."""
    root = project_root()
    shutil.copytree(root / "tools", tmp_path / "tools")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    monkeypatch.setattr(compile_module, "project_root", lambda: tmp_path)
    return tmp_path


def test_all_contracts_compile_under_their_names() -> None:
    artifacts = compile_contracts()
    for name in ("TrainingMarket", "StakeVault", "ReputationRegistry", "GramVerifier", "ITrainingMarket"):
        assert artifacts[name].name == name
        assert artifacts[name].abi
    assert not artifacts["ITrainingMarket"].bytecode
    for artifact in artifacts.values():
        assert len(artifact.deployed_bytecode) // 2 <= 24_576, artifact.name  # EIP-170


def test_artifacts_survive_their_json() -> None:
    artifacts = dict(compile_contracts())
    assert from_json(to_json(artifacts)) == artifacts


def test_a_source_is_compiled_once(other_root: Path) -> None:
    first = compile_source("Box", BOX)
    (target,) = (other_root / "build" / "generated").glob("*.json")
    written = target.stat().st_mtime_ns
    assert compile_source("Box", BOX) == first
    assert target.stat().st_mtime_ns == written
    compile_source("Box", BOX + "\n// changed")
    assert len(list((other_root / "build" / "generated").glob("*.json"))) == 2


def test_processes_share_one_cache(tmp_path: Path) -> None:
    source = BOX + f"\n// {tmp_path}"
    program = "import sys; from marketplace.chain.compile import compile_source;"
    program += "print(compile_source('Box', sys.argv[1]).bytecode)"
    running = [
        subprocess.Popen([sys.executable, "-c", program, source], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = {process.communicate()[0] for process in running}
    assert len(outputs) == 1
    assert outputs.pop().strip() == compile_source("Box", source).bytecode


def test_errors_in_a_source_are_told_in_one_line(other_root: Path) -> None:
    with pytest.raises(FairshareError) as caught:
        compile_source("Box", "pragma solidity 0.8.30; contract Box { uint x = ; }")
    assert caught.value.reason is Reason.BAD_INPUT
    assert "\n" not in caught.value.message
    assert not list((other_root / "build").rglob("*.json"))


def test_a_contract_that_is_not_there() -> None:
    with pytest.raises(FairshareError, match="holds no contract Lid"):
        compile_source("Lid", BOX)


def test_without_packages(other_root: Path) -> None:
    (other_root / "node_modules").unlink()
    with pytest.raises(FairshareError) as caught:
        compile_source("Box", BOX)
    assert caught.value.reason is Reason.TOOL_MISSING
    assert "make setup" in caught.value.hint


def test_another_compiler_version(other_root: Path) -> None:
    settings = json.loads((other_root / "tools" / "solc-settings.json").read_text())
    (other_root / "tools" / "solc-settings.json").write_text(json.dumps(settings | {"version": "0.8.1"}))
    compiler_settings.cache_clear()
    try:
        with pytest.raises(FairshareError, match=r"0\.8\.1 is required"):
            compile_source("Box", BOX)
    finally:
        compiler_settings.cache_clear()
