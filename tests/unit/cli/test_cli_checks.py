"""The doctor's checks: what each says of a machine that is not as it should be."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

from marketplace.chain.types import Block
from marketplace.cli.checks import account, machine, network, repos
from marketplace.cli.checks.finding import State
from marketplace.errors import FairshareError, Reason
from marketplace.node.options import Settings
from zk.shape import CircuitShape

BLOCK = Block(number=5, timestamp=1_000_000, hash=bytes(32))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    open_to_all = tmp_path / "home"
    open_to_all.mkdir()
    for name in ("key.json", "password"):
        (open_to_all / name).write_text("x")
        (open_to_all / name).chmod(0o600)
    return Settings(
        rpc="http://127.0.0.1:1",
        market=None,
        storage=None,
        peers=(),
        keystore=open_to_all / "key.json",
        password_file=open_to_all / "password",
        state_dir=tmp_path / "state" / "below",
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if everybody could look into the test's folder, which pytest makes private."""
    looked = functools.partial(account.is_open_to_others, top=tmp_path)
    monkeypatch.setattr(account, "is_open_to_others", looked)


@pytest.mark.parametrize(
    ("age", "state"),
    [(-31, State.PROBLEM), (-30, State.OK), (0, State.OK), (300, State.OK), (301, State.WARNING)],
)
def test_the_clock_is_held_against_the_newest_block(age: int, state: State) -> None:
    found = network.clock(BLOCK, BLOCK.timestamp + age)
    assert found.state is state
    assert bool(found.advice) is (state is not State.OK)


def test_a_password_that_others_can_read_is_a_problem(settings: Settings, reachable: None) -> None:
    assert account.secrecy(settings).state is State.OK
    settings.keystore.chmod(0o604)
    found = account.secrecy(settings)
    assert (found.state, found.advice) == (State.WARNING, f"chmod 600 {settings.keystore}")
    assert settings.password_file is not None
    settings.password_file.chmod(0o602)
    found = account.secrecy(settings)
    assert (found.state, found.advice) == (State.PROBLEM, f"chmod 600 {settings.password_file}")


def test_what_lies_in_a_private_folder_is_nobody_elses(settings: Settings, reachable: None) -> None:
    settings.keystore.chmod(0o644)
    settings.keystore.parent.chmod(0o700)
    assert account.secrecy(settings).state is State.OK


def test_a_keystore_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(FairshareError) as refused:
        account.key(settings)
    assert refused.value.reason is Reason.BAD_INPUT


def test_disk_is_looked_at_where_things_will_be(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("journal and storage", "circuits", "proofs under way"):
        assert place in machine.disk(settings).detail
    usage = machine.shutil.disk_usage(settings.keystore.parent)

    def little(path: Path) -> object:
        return usage._replace(free=(5 << 30) - 1)

    monkeypatch.setattr(machine.shutil, "disk_usage", little)
    found = machine.disk(settings)
    assert found.state is State.PROBLEM
    assert "--state-dir" in found.advice


def test_memory_is_held_against_the_largest_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (
        machine.Proven(f"project {number}", CircuitShape(*size))
        for number, size in ((1, (5, 64)), (2, (16, 5000)))
    )
    monkeypatch.setattr(machine, "memory_bytes", lambda: 4 << 30)
    assert machine.memory([small]).state is State.OK
    found = machine.memory([small, large])
    assert found.state is State.WARNING
    assert "project 2 (16x5000) takes 3.8" in found.detail
    monkeypatch.setattr(machine, "memory_bytes", lambda: 8 << 30)
    assert machine.memory([small, large]).state is State.OK


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver = tmp_path / "version"
    monkeypatch.setattr(machine, "_NVIDIA", driver)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert machine.device().state is State.OK
    driver.write_text("NVRM version")
    monkeypatch.setattr("torch.version.cuda", None)
    assert "built for CUDA" in machine.device().advice
    monkeypatch.setattr("torch.version.cuda", "12.8")
    assert "12.8" in machine.device().advice
    assert machine.device().state is State.WARNING


def test_a_device_is_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU under another name: what is computed on it is checked."""
    import torch

    class Picked:
        type = "mps"

        def __str__(self) -> str:
            return "mps"

    made = torch.ones
    monkeypatch.setattr("marketplace.learning.devices.pick_device", lambda name: Picked())
    monkeypatch.setattr(torch, "ones", lambda *shape, device: made(*shape))
    assert machine.device().detail == "training runs on mps"
    monkeypatch.setattr(torch, "ones", lambda *shape, device: 2 * made(*shape))
    assert machine.device().state is State.PROBLEM

    def broken(*shape: int, device: object) -> torch.Tensor:
        raise RuntimeError("no kernel image\nfor this device")

    monkeypatch.setattr(torch, "ones", broken)
    assert machine.device().detail == "mps fails: no kernel image"


def test_where_nothing_answers_the_rest_is_checked_all_the_same(settings: Settings) -> None:
    from marketplace.cli.checkup import check_up

    found = {finding.name: finding for finding in check_up(dataclasses.replace(settings, storage="/ip4/1"))}
    assert found["chain"].state is State.PROBLEM
    assert found["storage"].state is State.PROBLEM
    assert "funds" not in found
    assert {"clock", "funds"} & found.keys() == set()
    assert {"libraries", "market", "key", "secrecy", "disk", "memory", "device"} <= found.keys()


def test_repos_are_held_against_their_cap(settings: Settings) -> None:
    assert (repos.repos(settings).state, repos.repos(settings).detail) == (
        State.OK,
        "nothing stored yet (no cap)",
    )
    for home, size in (("31337-ab-cd/owner-12", 4000), ("reader", 900)):
        shard = settings.state_dir / home / "storage" / "blocks" / "AB"
        shard.mkdir(parents=True)
        (shard / "CIQA.data").write_bytes(bytes(size))
    found = repos.repos(dataclasses.replace(settings, storage_max=5000))
    assert (found.state, found.detail) == (State.OK, "owner-12 4.0 KB, reader 900 B (of 5.0 KB each)")
    found = repos.repos(dataclasses.replace(settings, storage_max=4400))
    assert found.state is State.WARNING
    assert "--storage-max" in found.advice
