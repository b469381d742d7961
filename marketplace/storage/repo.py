"""A Kubo repo on disk: one process at a time, an offline config, a swarm port that survives restarts."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.storage.inventory import Inventory
from marketplace.storage.ports import lasting_port, try_port
from marketplace.whole_files import PRIVATE, write_whole

_LARGEST_CONFIG = 1 << 20  # bytes; Kubo's own has a few KB
_SECTIONS = ("Addresses", "Experimental", "Internal", "Swarm")  # that `configure` adds to; others it replaces


class RepoLock:
    """Holds a repo for this process; the kernel lets go of it however the process ends."""

    def __init__(self, repo: Path) -> None:
        self._path = repo / "node.lock"
        self._descriptor = -1

    def __enter__(self) -> RepoLock:
        """Raises REFUSED if another process holds the repo."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise FairshareError(
                Reason.REFUSED,
                f"another storage node runs on {self._path.parent}",
                "stop it, or give each role a folder of its own",
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


# Streams of the DHT, which the library always has: without any it knows nobody, and asks and tells nobody.
_NO_STREAMS = dict.fromkeys(("Streams", "StreamsInbound", "StreamsOutbound"), "blockAll")
_LIMITS = {"Protocol": dict.fromkeys(("/ipfs/kad/1.0.0", "/ipfs/lan/kad/1.0.0"), _NO_STREAMS)}
_BLOCK_READERS = 16  # of Kubo's 128, each of which has a stack


@dataclass(frozen=True)
class Repo:
    """Paths in the repo at `path`."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config"

    @property
    def limits(self) -> Path:
        """What the library's resource manager is told beside its own limits."""
        return self.path / "libp2p-resource-limit-overrides.json"

    @property
    def api(self) -> Path:
        """Holds the RPC's multiaddress while the node is ready, as Kubo's own daemon has it."""
        return self.path / "api"

    @property
    def temporary(self) -> Path:
        """Uploads and blocks on their way; emptied at every start."""
        return self.path / "tmp"

    def prepare(self) -> None:
        """Make the folder, mode 0700: the config holds the node's private key."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def clear(self) -> None:
        """Remove what a killed process left behind. Call it with the lock held."""
        self.api.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(mode=0o700)

    def configure(self, *, listen: str, swarm_port: int) -> None:
        """Write an offline config: no bootstrap, discovery, DHT, relay or NAT traversal; TCP on `listen` only.

        `swarm_port` 0 keeps the port of the last start, and picks a free one at the first.
        Raises BAD_INPUT if the config cannot be read or the port cannot be used.
        """
        try:
            with self.config.open("rb") as file:
                config, remembered = _config_in(file.read(_LARGEST_CONFIG + 1))
        except (ValueError, RecursionError) as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{self.config} is damaged: {error}", "restore it, or name a new folder"
            ) from error
        port = _bindable_port(listen, swarm_port or remembered)
        network = "ip6" if ":" in listen else "ip4"
        config["Addresses"]["Swarm"] = [f"/{network}/{listen}/tcp/{port}"]
        config["Bootstrap"] = []
        config["Discovery"] = {"MDNS": {"Enabled": False}}
        config["Routing"] = {"Type": "none"}
        config["AutoNAT"] = {"ServiceMode": "disabled"}
        config["Reprovider"] = {"Interval": "0"}
        # Kubo's name for: announce nothing
        config.setdefault("Experimental", {})["StrategicProviding"] = True
        config["Pubsub"] = {"Router": "floodsub"}  # nobody subscribes; the other one wakes up every second
        config.setdefault("Internal", {})["Bitswap"] = {"EngineBlockstoreWorkerCount": _BLOCK_READERS}
        config.setdefault("Swarm", {}).update(
            DisableBandwidthMetrics=True,
            DisableNatPortMap=True,
            EnableHolePunching=False,
            RelayClient={"Enabled": False},
            RelayService={"Enabled": False},
            Transports={"Network": dict.fromkeys(("QUIC", "Websocket", "WebTransport", "Relay"), False)},
        )
        write_whole(self.config, json.dumps(config, indent=2), PRIVATE)
        write_whole(self.limits, json.dumps(_LIMITS, indent=2), PRIVATE)

    def announce_api(self, multiaddress: str) -> None:
        """Write the `api` file, whole or not at all."""
        write_whole(self.api, multiaddress + "\n")

    @property
    def inventory(self) -> Inventory:
        """Its blocks."""
        return Inventory(self.path)


def _bindable_port(listen: str, port: int) -> int:
    """`port`, or a free one for 0. The library would share a port with another listener, and lose half the calls."""
    try:
        if port == 0:
            return lasting_port(listen)
        try_port(listen, port)
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"swarm port {port} on {listen} cannot be used: {error.strerror}",
            "name another, or 0 to have one picked for a new repo",
        ) from error
    return port


def _config_in(data: bytes) -> tuple[dict[str, Any], int]:
    """Kubo's config, with an object for each of its sections, and the port of the last start, 0 where there was none.

    Raises ValueError and RecursionError where it is damaged.
    """
    if len(data) > _LARGEST_CONFIG:
        raise ValueError("it is too large")
    config = json.loads(data)
    if not isinstance(config, dict):
        raise ValueError("it is no object")
    for section in _SECTIONS:
        if not isinstance(config.setdefault(section, {}), dict):
            raise ValueError(f"its {section} is no object")
    listed = config["Addresses"].get("Swarm")
    if not isinstance(listed, list):
        raise ValueError("its Addresses.Swarm is no list")
    if len(listed) != 1:  # a new repo has a list of defaults, and `configure` writes one
        return config, 0
    parts = str(listed[0]).split("/")
    port = int(parts[4]) if len(parts) > 4 else -1
    if not 0 <= port < 1 << 16:
        raise ValueError("its Addresses.Swarm names no port")
    return config, port
