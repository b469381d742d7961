"""What this machine has: memory, as far as this process may use it."""

from __future__ import annotations

import os
from pathlib import Path

SHARE_FOR_PROOFS = 0.7  # of memory; the rest is for everything else on the machine

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def memory_bytes(cgroups: Path = _CGROUPS, own_group: Path = _OWN_GROUP) -> int:
    """The machine's memory, or what a container or a systemd unit leaves of it (cgroup v2)."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for group in _groups(cgroups, own_group):
        try:
            limit = (group / "memory.max").read_text(encoding="ascii").strip()
        except OSError:
            continue  # the topmost group has none
        if limit.isdigit():
            limits.append(int(limit))
    return min(limits)


def _groups(cgroups: Path, own_group: Path) -> list[Path]:
    """This process's control group and all above it."""
    try:
        lines = own_group.read_text(encoding="utf8").splitlines()
    except OSError:
        return []  # not Linux
    own = next((line.removeprefix("0::").lstrip("/") for line in lines if line.startswith("0::")), "")
    group = cgroups / own
    return [group, *(above for above in group.parents if above.is_relative_to(cgroups))]
