"""The content store: blobs by CID through Kubo's RPC, of our embedded node or of Kubo's own daemon alike."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import ipfshttpclient
import requests
from ipfshttpclient import exceptions as rpc_errors

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.http_pieces import pieces
from marketplace.storage.inventory import NO_SPACE
from marketplace.storage.multiaddress import check_multiaddress, check_peer_id
from marketplace.storage.reasons import Why
from marketplace.storage.recent import Recent

_T = TypeVar("_T")
# Kubo's defaults as they were when CIDv0 became the market's: a daemon may be configured otherwise
_LAYOUT = {"cid-version": "0", "raw-leaves": "false", "chunker": "size-262144", "hash": "sha2-256"}
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0)
LARGE_BYTES = 4 * 1024 * 1024  # from here on the progress of a transfer is told
_KEEP_S = 60.0
_COLLECT_S = 600.0
_LOOPBACK = ("/ip4/127.", "/ip6/::1/", "/dns/localhost/", "/dns4/localhost/", "/dns6/localhost/")
_MALFORMED_WORDS = ("unrecognized object", "is a directory", "unixfs", "protobuf", "not a file")
# ipfshttpclient passes urllib3 an argument that it no longer needs, and says so at every call.
warnings.filterwarnings(
    "ignore", message="The 'strict' parameter is no longer needed", category=FutureWarning
)
# What a call raises; reading a streamed body raises the errors of requests as they are.
_BROKEN = (requests.exceptions.RequestException, rpc_errors.CommunicationError, rpc_errors.DecodingError)
# What ipfshttpclient, and what is asked of its documents here, raises for an answer that is not Kubo's.
_NONSENSE = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
_DOWN = (rpc_errors.ConnectionError, rpc_errors.ProtocolError)


@dataclass(frozen=True)
class BlobSize:
    """Bytes of a blob, and how many more its blocks take where they are not here, at most."""

    size: int
    missing: int


class ContentStore:
    """Blobs by CID, through the RPC at multiaddress `api`.

    What is fetched is checked here: the CID of the bytes is computed again, which covers every block, so the
    node behind the RPC need not be trusted for integrity. `timeout_s` bounds calls that need no peer. Safe to
    share between threads.
    """

    def __init__(self, api: str, timeout_s: float = 30.0) -> None:
        """Does not connect. Raises BAD_INPUT if `api` is not the multiaddress of an HTTP endpoint."""
        try:
            # Client and not connect(), which refuses every daemon newer than its own time
            self._client: Any = ipfshttpclient.Client(
                api, timeout=timeout_s, headers={"Accept-Encoding": "identity"}
            )
        except rpc_errors.AddressError as error:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"not an RPC address: {api[:128]}",
                "it reads like /ip4/127.0.0.1/tcp/5001/http",
            ) from error
        self._client._client._session_props["hooks"] = {"response": _by_pieces}
        if api.startswith(_LOOPBACK):
            # a proxy from the environment cannot reach our loopback address
            self._client._client._session_props["trust_env"] = False
        self._client._client.open_session()  # connections are kept: a call on a new one takes twice the time
        self._api = api
        self._timeout_s = timeout_s
        self._recent = Recent()

    def ping(self) -> None:
        """Return if the node answers. Raises STORAGE_UNREACHABLE."""
        self._simple(lambda: self._client.version()["Version"])

    def add(self, data: bytes, why: Why | None = None) -> str:
        """Store and pin `data`; its CIDv0. `why`: what a `KeepingStore` writes down.

        Raises STORAGE_UNREACHABLE, STORAGE_FULL, INTEGRITY if the node stored something else.
        """
        expected = cid_of(data)
        cid = self._simple(lambda: self._client.add_bytes(data, opts=_LAYOUT))
        if cid != expected:
            raise FairshareError(
                Reason.INTEGRITY,
                f"the storage node stored {str(cid)[:64]} where {expected} was due",
                "let it add with Kubo's default settings (CIDv0, 256 KiB chunks)",
            )
        return expected

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        """The bytes named by `cid`, at most `max_bytes`, within `timeout_s` seconds; small ones are kept in memory.

        Raises BAD_INPUT for what is no CIDv0, UNAVAILABLE if nobody serves it in time, TOO_LARGE beyond
        `max_bytes`, INTEGRITY if what comes is not what the CID names, STORAGE_UNREACHABLE if the node is
        down.
        """
        digest_of(cid)
        recent = self._recent.get(cid)
        if recent is not None and len(recent) <= max_bytes:
            return recent
        deadline = time.monotonic() + timeout_s
        try:
            data = self._ask(lambda: self._read(cid, max_bytes, deadline), deadline)
        except _BROKEN as error:
            raise _fetch_error(cid, error) from error
        if cid_of(data) != cid:
            if (
                time.monotonic() >= deadline
            ):  # Kubo's daemon ends the stream early, without a sign, when time is up
                raise _unavailable(cid)
            raise FairshareError(
                Reason.INTEGRITY, f"what came for {cid} is not what it names", "ask another node"
            )
        self._recent.put(cid, data)
        return data

    def keep(self, cid: str, max_bytes: int, why: Why) -> None:
        """Keep a blob that may not be here yet, now or, where it is a `KeepingStore`, as soon as it comes.

        Raises as `pin`, TOO_LARGE beyond `max_bytes`.
        """
        if self.stat(cid, _KEEP_S).size > max_bytes:
            raise too_large(cid, max_bytes)
        self.pin(cid, _KEEP_S)

    def stat(self, cid: str, timeout_s: float) -> BlobSize:
        """How large a blob is, by its root block, and how much of it is missing here.

        Raises BAD_INPUT, UNAVAILABLE, INTEGRITY, STORAGE_FULL, STORAGE_UNREACHABLE.
        """
        digest_of(cid)
        deadline = time.monotonic() + timeout_s
        options = {"with-local": "true", "timeout": f"{timeout_s:.3f}s"}
        try:
            found = self._ask(
                lambda: self._client.files.stat(f"/ipfs/{cid}", opts=options, timeout=timeout_s + 2), deadline
            )
        except _BROKEN as error:
            raise _fetch_error(cid, error) from error
        sizes = [found.get(name) for name in ("Size", "CumulativeSize", "SizeLocal")]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise _unreachable(self._api, ValueError("no sizes"))
        size, whole, local = sizes
        return BlobSize(size, max(0, whole - local))

    def used(self) -> int:
        """Bytes of the blocks in the node's repo. Raises STORAGE_UNREACHABLE."""
        return self._simple(lambda: int(self._client.repo.stat()["RepoSize"]))

    def collect_garbage(self) -> None:
        """Delete what is not pinned. Raises STORAGE_UNREACHABLE."""
        self._simple(lambda: self._client.repo.gc(quiet=True, timeout=_COLLECT_S))

    def pins(self) -> frozenset[str]:
        """CIDs of all blobs that are pinned for themselves. Raises STORAGE_UNREACHABLE."""
        return self._simple(lambda: frozenset(map(str, self._client.pin.ls(type="recursive")["Keys"] or ())))

    def connect(self, multiaddress: str) -> None:
        """Connect the node to a peer; at once if it is connected.

        Raises BAD_INPUT for an address that is not /ip4|ip6|dns4/../tcp/../p2p/.., UNAVAILABLE if the peer
        cannot be reached, STORAGE_UNREACHABLE.
        """
        check_multiaddress(multiaddress)
        try:
            self._ask(lambda: self._client.swarm.connect(_WholeText(multiaddress)))
        except _BROKEN as error:
            raise FairshareError(
                Reason.UNAVAILABLE,
                f"no connection to the peer {multiaddress}",
                "it may be down: try again later",
            ) from error

    def addresses(self) -> list[str]:
        """Multiaddresses, each with /p2p/ID, that peers can dial this node at. Raises STORAGE_UNREACHABLE."""
        addresses = self._simple(lambda: list(map(str, self._client.id()["Addresses"] or ())))
        return [address for address in addresses if _is_dialable(address)]

    def peer_id(self) -> str:
        """The node's own peer ID. Raises STORAGE_UNREACHABLE."""
        return self._simple(lambda: check_peer_id(str(self._client.id()["ID"])))

    def peers(self) -> list[str]:
        """Peer IDs that the node is connected to. Raises STORAGE_UNREACHABLE."""
        return self._simple(lambda: [str(peer["Peer"]) for peer in self._client.swarm.peers()["Peers"] or ()])

    def pin(self, cid: str, timeout_s: float = 60.0) -> None:
        """Keep the blob, fetching what is missing. Raises BAD_INPUT, UNAVAILABLE, STORAGE_UNREACHABLE."""
        digest_of(cid)
        try:
            self._ask(
                lambda: self._client.pin.add(
                    cid, opts={"timeout": f"{timeout_s:.3f}s"}, timeout=timeout_s + 5
                )
            )
        except _BROKEN as error:
            raise _fetch_error(cid, error) from error

    def unpin(self, cid: str) -> None:
        """Keep the blob no longer, if it is pinned at all. Raises BAD_INPUT, STORAGE_UNREACHABLE."""
        digest_of(cid)
        try:
            self._ask(lambda: self._client.pin.rm(cid))
        except _BROKEN as error:
            if "not pinned" not in str(error):
                raise _unreachable(self._api, error) from error

    def told(self, cid: str, have: int, most: int) -> None:
        """Called while a large blob comes: `have` bytes of `most` so far. For who shows progress to override."""

    def _read(self, cid: str, max_bytes: int, deadline: float) -> bytes:
        left = max(0.001, deadline - time.monotonic())
        pieces: Iterator[bytes] = self._client.cat(
            cid,
            opts={"length": max_bytes + 1, "timeout": f"{left:.3f}s"},
            timeout=left + 2,  # the node should be the first to give up: it knows why
            stream=True,
        )
        data = bytearray()
        for piece in pieces:
            data += piece
            if len(data) > max_bytes:
                raise too_large(cid, max_bytes)
            if len(data) >= LARGE_BYTES:
                self.told(cid, len(data), max_bytes)
            if time.monotonic() > deadline + 2:
                raise _unavailable(cid)
        return bytes(data)

    def _simple(self, call: Callable[[], _T]) -> _T:
        """The result of a call that a node can always answer. Raises STORAGE_UNREACHABLE."""
        try:
            return self._ask(call)
        except _BROKEN as error:
            raise _full(error) if _is_full(error) else _unreachable(self._api, error) from error

    def _ask(self, call: Callable[[], _T], deadline: float | None = None) -> _T:
        """The call's result, tried again with back-off while the node is down. Raises STORAGE_UNREACHABLE."""
        for pause_s in (*_BACK_OFF_S, None):
            try:
                return call()
            except _NONSENSE as error:
                raise _unreachable(self._api, error) from error
            except _DOWN as error:
                late = deadline is not None and pause_s is not None and time.monotonic() + pause_s > deadline
                if pause_s is None or late:
                    raise _unreachable(self._api, error) from error
                time.sleep(pause_s)
        raise AssertionError("unreachable")


def _by_pieces(response: requests.Response, **how: object) -> None:
    """A hook of requests: the body is read as it arrives, whatever size of chunks is asked for or announced."""
    response.iter_content = lambda chunk_size=None, decode_unicode=False: pieces(response)  # type: ignore[method-assign]


class _WholeText(str):
    """A text without items: ipfshttpclient's `swarm.connect` sends each item of its argument once more."""

    def __iter__(self) -> Iterator[str]:
        return iter(())


def _is_dialable(address: str) -> bool:
    try:
        check_multiaddress(address)
    except FairshareError:
        return False
    return True


def _fetch_error(cid: str, error: Exception) -> FairshareError:
    words = str(error).lower()
    if _is_full(error):
        return _full(error)
    if isinstance(error, rpc_errors.ErrorResponse) and any(word in words for word in _MALFORMED_WORDS):
        return FairshareError(Reason.INTEGRITY, f"{cid} is not a plain file: {error}", "do not use it")
    return _unavailable(cid)


def _is_full(error: Exception) -> bool:
    return isinstance(error, rpc_errors.ErrorResponse) and NO_SPACE in str(error).lower()


def _full(error: Exception) -> FairshareError:
    return FairshareError(
        Reason.STORAGE_FULL,
        f"the storage node's disk is full: {str(error).splitlines()[0][:200]}",
        "make room on it; what was asked for is tried again",
    )


def too_large(cid: str, max_bytes: int) -> FairshareError:
    """A blob is larger than it may be."""
    return FairshareError(
        Reason.TOO_LARGE, f"{cid} is larger than the {max_bytes} bytes that are due", "do not use it"
    )


def _unavailable(cid: str) -> FairshareError:
    return FairshareError(
        Reason.UNAVAILABLE,
        f"nobody serves {cid} in time",
        "connect to a peer that has it, or try again later",
    )


def _unreachable(api: str, error: Exception) -> FairshareError:
    return FairshareError(
        Reason.STORAGE_UNREACHABLE,
        f"the storage node at {api} does not answer as Kubo does: {type(error).__name__}",
        "start it, or name the RPC address of another node",
    )
