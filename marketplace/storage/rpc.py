"""What the content store uses of Kubo's RPC (/api/v0, https://docs.ipfs.tech/reference/kubo/rpc/)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.errors import FairshareError
from marketplace.storage.blocks import BlockDamaged, Blocks, BlockUnavailable
from marketplace.storage.cid import digest_of, from_digest
from marketplace.storage.dag import CHUNK_BYTES, MalformedBlock, parse_block, stored_bytes
from marketplace.storage.files import FileReader
from marketplace.storage.garbage import PinGate, collect
from marketplace.storage.inventory import NO_SPACE
from marketplace.storage.kubo_library import VERSION
from marketplace.storage.multiaddress import check_multiaddress
from marketplace.storage.node import KuboNode
from marketplace.storage.repo import Repo

DEFAULT_TIMEOUT_S = 60.0
MAX_TIMEOUT_S = 3600.0
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)){1,4}\Z")
_DURATION_PART = re.compile(r"([\d.]+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_LAYOUT = {
    "cid-version": "0",
    "raw-leaves": "false",
    "chunker": f"size-{CHUNK_BYTES}",
    "hash": "sha2-256",
    "trickle": "false",
    "wrap-with-directory": "false",
}

Answer = dict[str, Any] | Iterator[bytes]


class RpcError(Exception):
    """A request that cannot be fulfilled; the text is the `Message` of Kubo's error document."""


class RpcUnavailable(RpcError):
    """What is asked for did not come in time."""


@dataclass(frozen=True)
class Query:
    """Arguments of a call."""

    arguments: tuple[str, ...]
    options: dict[str, str]

    def single(self) -> str:
        """The one positional argument. Raises RpcError."""
        if len(self.arguments) != 1:
            raise RpcError("one argument is due")
        return self.arguments[0]

    def digest(self) -> bytes:
        """The digest of the CID that is the one positional argument. Raises RpcError."""
        try:
            return digest_of(self.single().removeprefix("/ipfs/"))
        except FairshareError as error:
            raise RpcError(f"invalid path: {error.message}") from None

    def count(self, name: str) -> int | None:
        """A non-negative integer option. Raises RpcError."""
        text = self.options.get(name)
        if text is None:
            return None
        if not text.isdecimal() or len(text) > 18:
            raise RpcError(f"{name} is not a count")
        return int(text)

    def flag(self, name: str, default: bool) -> bool:
        """A true or false option."""
        return self.options.get(name, str(default)).lower() in ("true", "1")

    def deadline(self) -> float:
        """When to give up (time.monotonic): Kubo's `timeout` option, a Go duration. Raises RpcError."""
        text = self.options.get("timeout", f"{DEFAULT_TIMEOUT_S}s")
        if not _DURATION.match(text):
            raise RpcError("timeout is not a duration")
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        return time.monotonic() + min(seconds, MAX_TIMEOUT_S)


class Rpc:
    """Answers calls by name, with a node."""

    def __init__(self, node: KuboNode, blocks: Blocks, repo: Repo, shutdown: Callable[[], None]) -> None:
        self._node = node
        self._blocks = blocks
        self._repo = repo
        self._inventory = repo.inventory
        self._gate = PinGate()
        self._shutdown = shutdown
        self._calls: dict[str, Callable[[Query], Answer]] = {
            "cat": self._cat,
            "pin/add": self._pin_add,
            "pin/rm": self._pin_rm,
            "pin/ls": self._pin_ls,
            "swarm/connect": self._swarm_connect,
            "swarm/peers": self._swarm_peers,
            "id": self._id,
            "version": self._version,
            "repo/stat": self._repo_stat,
            "repo/gc": self._repo_gc,
            "files/stat": self._files_stat,
            "shutdown": self._stop,
        }

    def knows(self, name: str) -> bool:
        """Whether there is a call of this name that takes no upload."""
        return name in self._calls

    def answer(self, name: str, query: Query) -> Answer:
        """A JSON document, or the pieces of a byte stream. Raises RpcError, also while a stream is read."""
        return self._calls[name](query)

    def add(self, path: Path, query: Query) -> dict[str, Any]:
        """Kubo's `add` of one file with default layout. Raises RpcError."""
        for option, default in _LAYOUT.items():
            if query.options.get(option, default).lower() != default:
                raise RpcError(f"this node adds with {option}={default} only")
        only_hash = query.flag("only-hash", False)
        if not only_hash:
            self._require_space(stored_bytes(path.stat().st_size))
        with self._gate.changing():
            cid = self._node.add_file(path, only_hash=only_hash)
        if not cid:
            self._require_space(1)
            raise RpcError("the file cannot be stored")
        if not only_hash and not query.flag("pin", True):
            self._node.unpin(cid)
        return {"Name": cid, "Hash": cid, "Size": str(path.stat().st_size)}

    def _cat(self, query: Query) -> Iterator[bytes]:
        offset, length = query.count("offset") or 0, query.count("length")
        try:
            digest = query.digest()
            reader = FileReader(self._blocks, digest, query.deadline())
            end = reader.size if length is None else min(reader.size, offset + length)
            if stored_bytes(end) > self._inventory.free():  # only then is it worth a look at what is here
                self._require_space(stored_bytes(end) - self._inventory.local_bytes(digest))
        except (BlockUnavailable, BlockDamaged, MalformedBlock) as error:
            raise self._as_rpc_error(error) from None
        return self._translated(reader.read(offset, length))

    def _pin_add(self, query: Query) -> dict[str, Any]:
        digest = query.digest()
        cid = from_digest(digest)
        while True:
            for _ in self._cat(query):
                pass  # all blocks are here afterwards: the library's own pinning would wait for ever
            with self._gate.changing():
                if self._inventory.has_all(digest):  # and were not collected since
                    if not self._node.pin(cid):
                        raise RpcError("pin: failed")
                    return {"Pins": [cid]}

    def _pin_rm(self, query: Query) -> dict[str, Any]:
        cid = from_digest(query.digest())
        if not self._node.unpin(cid):
            raise RpcError("not pinned or pinned indirectly")
        return {"Pins": [cid]}

    def _pin_ls(self, query: Query) -> dict[str, Any]:
        pins = self._node.pins()
        deadline = query.deadline()
        below: set[str] = set()
        for cid in pins:
            below.update(self._children(cid, deadline))
        kinds = {cid: "indirect" if cid in below else "recursive" for cid in pins}
        wanted = query.options.get("type", "all")
        keys = {cid: {"Type": kind} for cid, kind in kinds.items() if wanted in ("all", kind)}
        if query.arguments:
            cid = from_digest(query.digest())
            if cid not in keys:
                raise RpcError(f"path '{cid}' is not pinned")
            keys = {cid: keys[cid]}
        return {"Keys": keys}

    def _children(self, cid: str, deadline: float) -> list[str]:
        if not cid.startswith("Qm"):
            return []
        digest = digest_of(cid)
        if self._inventory.is_leaf(digest):
            return []
        try:
            block = parse_block(self._blocks.get(digest, deadline))
        except MalformedBlock:
            return []  # no file: somebody pinned it by other means
        except (BlockUnavailable, BlockDamaged) as error:
            raise self._as_rpc_error(error) from None
        return [from_digest(link.digest) for link in block.links]

    def _swarm_connect(self, query: Query) -> dict[str, Any]:
        try:
            multiaddress = check_multiaddress(query.single())
        except FairshareError as error:
            raise RpcError(f"invalid peer address: {error.message}") from None
        peer = multiaddress.rsplit("/", 1)[1]
        if not self._node.connect(multiaddress):
            raise RpcError(f"connect {peer} failure: cannot be dialled")
        return {"Strings": [f"connect {peer} success"]}

    def _swarm_peers(self, query: Query) -> dict[str, Any]:
        return {"Peers": [{"Addr": address, "Peer": peer} for address, peer in self._node.peers()]}

    def _id(self, query: Query) -> dict[str, Any]:
        own = self._node.peer_id
        return {
            "ID": own,
            "PublicKey": "",
            "Addresses": [f"{address}/p2p/{own}" for address in self._node.addresses],
            "AgentVersion": f"kubo/{VERSION}/",
            "ProtocolVersion": "ipfs/0.1.0",
            "Protocols": [],
        }

    def _version(self, query: Query) -> dict[str, Any]:
        return {"Version": VERSION, "Commit": "", "Repo": "14", "System": "", "Golang": ""}

    def _repo_stat(self, query: Query) -> dict[str, Any]:
        number, size = self._inventory.stored()
        return {
            "NumObjects": number,
            "RepoSize": size,
            "RepoPath": str(self._repo.path),
            "Version": "fs-repo@14",
        }

    def _repo_gc(self, query: Query) -> Iterator[bytes]:
        removed = collect(self._node, self._inventory, self._gate)
        if query.flag("quiet", False):
            return iter(())
        return (json.dumps({"Key": {"/": from_digest(digest)}}).encode() + b"\n" for digest in removed)

    def _files_stat(self, query: Query) -> dict[str, Any]:
        """Of /ipfs/CID only: size, and with `with-local` how much of it is on this disk."""
        digest = query.digest()
        try:
            size = FileReader(self._blocks, digest, query.deadline()).size
            local = self._inventory.local_bytes(digest)
            whole = local if self._inventory.has_all(digest) else max(local, stored_bytes(size))
        except (BlockUnavailable, BlockDamaged, MalformedBlock) as error:
            raise self._as_rpc_error(error) from None
        answer = {
            "Hash": from_digest(digest),
            "Size": size,
            "CumulativeSize": whole,
            "Blocks": 0,
            "Type": "file",
        }
        if query.flag("with-local", False):
            answer |= {"WithLocality": True, "Local": local == whole, "SizeLocal": local}
        return answer

    def _require_space(self, needed: int) -> None:
        free = self._inventory.free()
        if needed > free:
            raise RpcError(f"{NO_SPACE}: {free} bytes are left for blocks, {needed} are needed")

    def _translated(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except (BlockUnavailable, BlockDamaged, MalformedBlock) as error:
            raise self._as_rpc_error(error) from None

    def _as_rpc_error(self, error: Exception) -> RpcError:
        if isinstance(error, BlockUnavailable):
            if not self._inventory.free():
                return RpcError(f"{NO_SPACE}: a block that comes cannot be stored")
            return RpcUnavailable(f"context deadline exceeded: {error}")  # the words of Kubo's own daemon
        return RpcError(f"unrecognized object: {error}")

    def _stop(self, query: Query) -> dict[str, Any]:
        self._shutdown()
        return {}
