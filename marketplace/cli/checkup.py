"""What `fairshare doctor` looks at: each check says what it found and what to do."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from marketplace.chain import token as tokens
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_contracts
from marketplace.chain.deployment import verify_code
from marketplace.chain.endpoint import shown
from marketplace.chain.types import NATIVE_COIN
from marketplace.devnet.anvil import find_anvil
from marketplace.errors import FairshareError
from marketplace.node import session
from marketplace.node.estimate import estimate_proof
from marketplace.node.options import Settings
from zk.files import EZKL_VERSION
from zk.shape import CircuitShape

_LEAST_DISK = 5 << 30
_MOST_SKEW_S = 30
_STALE_S = 300
_CHAIN_S = 3.0
_ENDPOINT_S = 1.0
_WEI = 10**18
_USUAL = CircuitShape(11, 650)  # ten trainers and the reference


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"  # something optional, or something that may matter later
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One check. `advice`: what to do, empty when all is well."""

    name: str
    state: State
    detail: str
    advice: str = ""


def check_up(settings: Settings) -> Iterator[Finding]:
    """Makes all checks, in order; none changes anything."""
    checks: tuple[tuple[str, Callable[[Settings], Finding], State], ...] = (
        ("libraries", _libraries, State.PROBLEM),
        ("contract compiler", _compiler, State.WARNING),
        ("local chain", _anvil, State.WARNING),
        ("chain", _chain, State.PROBLEM),
        ("endpoints", _endpoints, State.WARNING),
        ("market", _market, State.PROBLEM),
        ("storage", _storage, State.PROBLEM),
        ("key", _key, State.PROBLEM),
        ("funds", _funds, State.WARNING),
        ("disk", _disk, State.PROBLEM),
        ("memory", _memory, State.WARNING),
        ("device", _device, State.WARNING),
    )
    for name, check, when_it_fails in checks:
        try:
            yield check(settings)
        except FairshareError as error:
            yield Finding(name, when_it_fails, error.message, error.hint)


def _libraries(settings: Settings) -> Finding:
    found = version("ezkl")
    if found != EZKL_VERSION:
        return Finding(
            "libraries",
            State.PROBLEM,
            f"ezkl is {found}, proofs need {EZKL_VERSION}",
            "install with constraints.txt",
        )
    return Finding("libraries", State.OK, f"Python {sys.version.split()[0]}, ezkl {found}")


def _compiler(settings: Settings) -> Finding:
    return Finding("contract compiler", State.OK, f"{len(compile_contracts())} contracts compile")


def _anvil(settings: Settings) -> Finding:
    return Finding("local chain", State.OK, f"anvil is installed ({find_anvil().name})")


def _chain(settings: Settings) -> Finding:
    client = ChainClient(settings.rpc, expected_chain_id=settings.chain_id, retry_for_s=_CHAIN_S).connect()
    block = client.latest_block()
    age = time.time() - block.timestamp
    said = f"chain {client.chain_id} at {shown(client.rpc_url)}, block {block.number}"
    if age < -_MOST_SKEW_S:
        return Finding(
            "chain", State.PROBLEM, f"{said}, {-age:.0f} s in the future", "set this machine's clock"
        )
    if age > _STALE_S:
        return Finding(
            "chain",
            State.WARNING,
            f"{said}, {age:.0f} s old",
            "deadlines are block times: is the chain still making blocks, and this machine's clock right?",
        )
    return Finding("chain", State.OK, f"{said}, {max(0.0, age):.0f} s old")


def _endpoints(settings: Settings) -> Finding:
    """Each of them by itself: a node hides that one of several is no good."""
    silent = []
    for url in settings.rpc:
        try:
            ChainClient(url, expected_chain_id=settings.chain_id, retry_for_s=_ENDPOINT_S).connect()
        except FairshareError as error:
            silent.append(f"{shown(url)}: {error.message}")
    said = f"{len(settings.rpc) - len(silent)} of {len(settings.rpc)} answer"
    if silent:
        return Finding("endpoints", State.WARNING, f"{said}; {'; '.join(silent)}", "correct or replace them")
    return Finding("endpoints", State.OK, said)


def _market(settings: Settings) -> Finding:
    client = session.connect(settings)
    verify_code(client)
    return Finding(
        "market", State.OK, f"{client.address}: this checkout's contracts, {client.project_count()} projects"
    )


def _storage(settings: Settings) -> Finding:
    with (
        TemporaryDirectory(prefix="fairshare-") as scratch,
        session.open_store(settings, Path(scratch)) as store,
    ):
        store.ping()
        where = settings.storage or "an embedded node"
        return Finding("storage", State.OK, f"{where} answers, {len(store.peers())} peers")


def _key(settings: Settings) -> Finding:
    holder = session.own_address(settings)
    if settings.signer_url is not None:
        session.unlock(settings)
        return Finding("key", State.OK, f"{holder}, which the signer has")
    if settings.password_file is None and "FAIRSHARE_PASSWORD" not in os.environ:
        return Finding("key", State.OK, f"{holder} in {settings.keystore}; its password will be asked for")
    session.unlock(settings)
    return Finding("key", State.OK, f"{holder}, which its password opens")


def _funds(settings: Settings) -> Finding:
    holder = session.own_address(settings)
    client = ChainClient(settings.rpc, retry_for_s=_CHAIN_S).connect()
    held = tokens.balance(client.web3, NATIVE_COIN, holder)
    if held == 0:
        return Finding("funds", State.WARNING, f"{holder} holds no coins", "send it some for gas and stake")
    return Finding("funds", State.OK, f"{held / _WEI:.4f} coins")


def _disk(settings: Settings) -> Finding:
    places = {"state": settings.state_dir, "cache": settings.cache_dir}
    free = {name: shutil.disk_usage(_existing(path)).free for name, path in places.items()}
    said = ", ".join(f"{name} {amount >> 30} GiB free" for name, amount in free.items())
    if min(free.values()) < _LEAST_DISK:
        return Finding(
            "disk", State.PROBLEM, said, "free some space, or name others: --state-dir, --cache-dir"
        )
    return Finding("disk", State.OK, said)


def _memory(settings: Settings) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = estimate_proof(_USUAL).memory_bytes
    said = f"{total / 2**30:.1f} GiB; a proof of {_USUAL.slots} x {_USUAL.length} takes {needed / 2**30:.1f}"
    if total < 4 * needed:
        return Finding("memory", State.WARNING, said, "train, but leave proofs to a larger machine")
    return Finding("memory", State.OK, said)


def _device(settings: Settings) -> Finding:
    from marketplace.learning.train import pick_device

    device = pick_device("auto")
    if device.type == "cpu":
        return Finding(
            "device", State.OK, "training runs on the CPU: no CUDA or Metal device that torch can use"
        )
    return Finding("device", State.OK, f"training runs on {device}")


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
