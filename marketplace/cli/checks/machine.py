"""Libraries, tools, disk, memory and device of this machine."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from marketplace.chain.compile import compile_contracts
from marketplace.cli.checks.finding import Finding, State
from marketplace.devnet.anvil import find_anvil
from marketplace.node.estimate import estimate_proof
from marketplace.node.machine import SHARE_FOR_PROOFS, memory_bytes
from marketplace.node.options import Settings
from zk.files import EZKL_VERSION
from zk.shape import CircuitShape

_LEAST_DISK = 5 << 30
_NVIDIA = Path("/proc/driver/nvidia/version")  # where its kernel driver is loaded


def libraries() -> Finding:
    """That proofs can be made with the ezkl that is installed."""
    found = version("ezkl")
    if found != EZKL_VERSION:
        return Finding(
            "libraries",
            State.PROBLEM,
            f"ezkl is {found}, proofs need {EZKL_VERSION}",
            "install with constraints.txt",
        )
    return Finding("libraries", State.OK, f"Python {sys.version.split()[0]}, ezkl {found}")


def compiler() -> Finding:
    """That the contracts compile."""
    return Finding("contract compiler", State.OK, f"{len(compile_contracts())} contracts compile")


def local_chain() -> Finding:
    """That a devnet could be started."""
    return Finding("local chain", State.OK, f"anvil is installed ({find_anvil().name})")


def disk(settings: Settings) -> Finding:
    """Space for journals and blobs, for circuits and keys, and for proofs that are being made; and that it is ours."""
    places = {
        "journal and storage": settings.state_dir,
        "circuits": settings.cache_dir,
        "proofs under way": Path(tempfile.gettempdir()),
    }
    found = {name: _existing(path) for name, path in places.items()}
    free = {name: shutil.disk_usage(path).free for name, path in found.items()}
    said = ", ".join(f"{name} {amount >> 30} GiB free" for name, amount in free.items())
    locked = [str(path) for path in found.values() if not os.access(path, os.W_OK)]
    if locked:
        return Finding(
            "disk",
            State.PROBLEM,
            f"this user may not write to {', '.join(locked)}",
            "let it, or name others: --state-dir, --cache-dir, TMPDIR",
        )
    short = [name for name, amount in free.items() if amount < _LEAST_DISK]
    if short:
        return Finding(
            "disk", State.PROBLEM, said, "free some space, or name others: --state-dir, --cache-dir, TMPDIR"
        )
    return Finding("disk", State.OK, said)


@dataclass(frozen=True)
class Proven:
    """What a proof is about."""

    name: str
    shape: CircuitShape

    @property
    def memory_bytes(self) -> int:
        """That its proof takes at the peak."""
        return estimate_proof(self.shape).memory_bytes


USUAL = Proven("a usual project", CircuitShape(11, 650))  # ten trainers and the reference


def memory(projects: Sequence[Proven]) -> Finding:
    """That the largest of these proofs fits."""
    total, largest = memory_bytes(), max(projects, key=lambda project: project.memory_bytes)
    needed = largest.memory_bytes
    said = (
        f"{total / 2**30:.1f} GiB; a proof of {largest.name} ({largest.shape.name}) "
        f"takes {needed / 2**30:.1f}"
    )
    if SHARE_FOR_PROOFS * total < needed:
        advice = "train, but leave proofs to a larger machine or to a cluster (--ray)"
        return Finding("memory", State.WARNING, said, advice)
    return Finding("memory", State.OK, said)


def device() -> Finding:
    """What training runs on, tried out."""
    import torch

    from marketplace.learning.devices import pick_device

    picked = pick_device("auto")
    if picked.type == "cpu":
        return _on_the_cpu(torch.version.cuda)
    try:
        product = float((torch.ones(64, 64, device=picked) @ torch.ones(64, 64, device=picked)).sum().item())
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        return Finding(
            "device", State.PROBLEM, f"{picked} fails: {said}", "run with --device cpu, or mend its driver"
        )
    if product != 64.0**3:
        return Finding("device", State.PROBLEM, f"{picked} computes wrongly", "run with --device cpu")
    named = ""
    if picked.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        named = f" ({properties.name}, {properties.total_memory / 2**30:.0f} GiB)"
    return Finding("device", State.OK, f"training runs on {picked}{named}")


def _on_the_cpu(built_for: str | None) -> Finding:
    """`built_for`: the CUDA version that torch was built for, if any."""
    if not _NVIDIA.exists():
        said = "training runs on the CPU: no CUDA or Metal device that torch can use"
        return Finding("device", State.OK, said)
    advice = (
        "install a torch built for CUDA"
        if built_for is None
        else f"its driver must serve CUDA {built_for}: renew it"
    )
    return Finding("device", State.WARNING, "there is an NVIDIA GPU, but torch cannot use it", advice)


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
