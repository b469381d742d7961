from __future__ import annotations

from pathlib import Path

from marketplace.node.machine import memory_bytes


def test_memory_is_what_every_control_group_above_leaves(tmp_path: Path) -> None:
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    leaf = groups / "system.slice" / "fairshare.service"
    leaf.mkdir(parents=True)
    own.write_text("0::/system.slice/fairshare.service\n")
    whole = memory_bytes(groups, tmp_path / "none")
    assert whole > 2**20
    assert memory_bytes(groups, own) == whole
    (leaf / "memory.max").write_text("max\n")
    assert memory_bytes(groups, own) == whole
    (groups / "system.slice" / "memory.max").write_text("4096\n")
    (leaf / "memory.max").write_text("8192\n")
    assert memory_bytes(groups, own) == 4096


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text("12345\n")
    assert memory_bytes(tmp_path, tmp_path / "own") == 12345
