"""Keys and their cache: content, concurrency, sudden death, fetched files that lie."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marketplace.chain.compile import compile_source
from marketplace.errors import FairshareError, Reason
from zk import keys, prover, srs, verifier
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.shape import CircuitShape, layout_of

SHAPE = CircuitShape(3, 4)

BUILD = """
import os, signal, sys
from pathlib import Path
from zk import keys
from zk.shape import CircuitShape

def on_progress(phase):
    if phase == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

print(keys.build(CircuitShape(3, 4), Path(sys.argv[1]), on_progress=on_progress).directory)
"""


def start_build(cache: Path, die_at: str = "never") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(cache), die_at], stdout=subprocess.PIPE, text=True
    )


def fetched(files: CircuitFiles) -> tuple[bytes, bytes]:
    return files.vk.read_bytes(), files.srs.read_bytes()


def test_a_second_build_takes_the_first_ones_files(files: CircuitFiles, cache: Path) -> None:
    phases: list[str] = []
    assert keys.build(SHAPE, cache, on_progress=phases.append) == files
    assert phases == []


def test_a_test_srs_says_so(files: CircuitFiles) -> None:
    assert files.srs_kind == "test"
    assert files.srs.name == "TEST-ONLY-k7.srs"
    assert json.loads((files.directory / "circuit.json").read_text())["srs_kind"] == "test"


def test_the_circuit_is_rebuilt_to_the_same_key(files: CircuitFiles, tmp_path: Path) -> None:
    """Another machine that fetched verifying key and SRS gets the same circuit, verifier and C_0, and can prove."""
    vk, srs_bytes = fetched(files)
    elsewhere = keys.assemble(SHAPE, tmp_path, vk, srs_bytes, "test")
    assert elsewhere.zero == files.zero
    assert elsewhere.proof_length == files.proof_length
    assert elsewhere.settings.read_bytes() == files.settings.read_bytes()
    assert verifier.source(elsewhere) == verifier.source(files)
    assert not elsewhere.proving_key.exists()
    vector = np.array([1, -2, 3, -4])
    assert Committer(elsewhere).commit(vector) == Committer(files).commit(vector)
    proof = prover.prove(elsewhere, [vector, None, -vector])  # makes the proving key, and checks vk by it
    assert prover.verify(files, proof.proof, proof.gram)
    assert keys.assemble(SHAPE, tmp_path, vk, srs_bytes, "test") == elsewhere


def test_the_verifier_is_the_contract_that_checks_this_length(files: CircuitFiles) -> None:
    source = verifier.source(files)
    assert f"contract {verifier.CONTRACT}" in source
    assert f"eq({files.proof_length:#06x}, proof.length)" in source


@pytest.mark.parametrize(("slots", "length", "columns"), [(14, 50, 7), (16, 15, 6)])
def test_the_largest_verifiers_fit_a_contract(cache: Path, slots: int, length: int, columns: int) -> None:
    """More slots or columns make a longer verifier; these are the most of each that `layout_of` chooses."""
    shape = CircuitShape(slots, length)
    assert layout_of(shape).columns == columns
    source = verifier.source(keys.build(shape, cache))
    artifact = compile_source(verifier.CONTRACT, source)
    assert len(bytes.fromhex(artifact.deployed_bytecode)) <= 24_576  # EIP-170


def test_processes_building_at_once_share_one_circuit(tmp_path: Path) -> None:
    builders = [start_build(tmp_path) for _ in range(3)]
    directories = {builder.communicate()[0] for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert len(directories) == 1
    assert len(list((tmp_path / "circuits").iterdir())) == 1


@pytest.mark.parametrize("phase", ["srs", "circuit", "keys", "inspect"])
def test_a_build_killed_in_any_phase_leaves_a_usable_cache(tmp_path: Path, phase: str) -> None:
    killed = start_build(tmp_path, die_at=phase)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    files = keys.build(SHAPE, tmp_path)
    assert not list((tmp_path / "unfinished").iterdir())
    proof = prover.prove(files, [None, np.array([1, 2, 3, 4]), None])
    assert prover.verify(files, proof.proof, proof.gram)


@pytest.mark.deep
def test_a_lookup_table_that_a_killed_process_left_spoils_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ezkl makes a table's folder under the user's home before the table, and then takes the folder for the table."""
    (tmp_path / ".ezkl" / "cache" / "hardswish_1_-32768_49111").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    files = keys.build(CircuitShape(3, 4, "proven"), tmp_path / "cache")
    proof = prover.prove(files, [None, np.array([1, 2, 3, 4]), None])
    assert prover.verify(files, proof.proof, proof.gram)


@pytest.mark.parametrize(
    "name", ["verifying.key", "settings.json", "circuit.compiled", "verifier.sol", "circuit.json"]
)
def test_a_damaged_cache_is_made_anew(files: CircuitFiles, tmp_path: Path, name: str) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(files.directory.parent.parent, cache)
    damaged = cache / "circuits" / files.directory.name / name
    damaged.write_bytes(damaged.read_bytes()[:-1])
    again = keys.build(SHAPE, cache)
    assert again.zero == files.zero
    assert again.vk.read_bytes() == files.vk.read_bytes()


def test_a_foreign_verifying_key_is_found_out_by_making_it_anew(files: CircuitFiles, tmp_path: Path) -> None:
    other = keys.build(CircuitShape(3, 1), files.directory.parent.parent)
    assert layout_of(other.shape) == layout_of(SHAPE)
    _, srs_bytes = fetched(files)
    foreign = keys.assemble(SHAPE, tmp_path, other.vk.read_bytes(), srs_bytes, "test")
    with pytest.raises(FairshareError) as refused:
        keys.proving_key(foreign)
    assert refused.value.reason is Reason.INTEGRITY
    assert not foreign.proving_key.exists()


@pytest.mark.parametrize("damage", ["empty", "short", "long", "other k"])
def test_an_srs_of_the_wrong_size_is_refused(files: CircuitFiles, tmp_path: Path, damage: str) -> None:
    vk, good = fetched(files)
    bad = {"empty": b"", "short": good[:-1], "long": good + b"\0", "other k": b"\x14" + good[1:]}[damage]
    with pytest.raises(FairshareError) as refused:
        keys.assemble(SHAPE, tmp_path, vk, bad, "test")
    assert refused.value.reason is Reason.INTEGRITY
    assert not tmp_path.joinpath("circuits").exists()


def test_a_test_srs_does_not_pass_for_the_ceremonys(files: CircuitFiles, tmp_path: Path) -> None:
    with pytest.raises(FairshareError, match="ceremony") as refused:
        keys.assemble(SHAPE, tmp_path, *fetched(files), "ceremony")
    assert refused.value.reason is Reason.INTEGRITY
    assert keys.build(SHAPE, tmp_path, srs_file=files.srs).srs_kind == "test"


@pytest.mark.parametrize("damage", ["empty", "too long", "cut", "noise", "huge counts"])
def test_a_verifying_key_that_ezkl_cannot_use_is_refused(
    files: CircuitFiles, tmp_path: Path, damage: str
) -> None:
    good, srs_bytes = fetched(files)
    bad = {
        "empty": b"",
        "too long": b"\0" * (keys.MAX_VK_BYTES + 1),
        "cut": good[: len(good) // 2],
        "noise": bytes(range(256)) * (len(good) // 256),
        "huge counts": b"\xff" * len(good),
    }[damage]
    with pytest.raises(FairshareError) as refused:
        keys.assemble(SHAPE, tmp_path, bad, srs_bytes, "test")
    assert refused.value.reason is Reason.INTEGRITY
    assert "\n" not in refused.value.message


def test_limits_are_the_sizes_of_the_files(files: CircuitFiles) -> None:
    vk, srs_bytes = fetched(files)
    assert keys.limits(SHAPE).srs == len(srs_bytes) == srs.size(7)
    assert keys.limits(SHAPE).vk >= len(vk)


def test_every_ceremony_srs_that_a_circuit_may_need_is_known() -> None:
    largest = max(layout_of(CircuitShape(slots, 100_000 // slots)).logrows for slots in range(3, 17))
    assert set(range(7, largest + 1)) <= set(srs.CEREMONY_SHA256)
