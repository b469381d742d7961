"""Names, blocks and files of IPFS, what our storage node is asked, and what a storage node answers."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from types import TracebackType
from typing import cast
from unittest import mock

from marketplace.storage import store as content_store
from marketplace.storage.blocks import Blocks, BlockUnavailable
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.contact import decode_contact, encode_contact
from marketplace.storage.dag import MalformedBlock, parse_block
from marketplace.storage.files import FileReader
from marketplace.storage.http_body import BadBody, receive, single_file
from marketplace.storage.multiaddress import check_multiaddress
from marketplace.storage.repo import Repo
from marketplace.storage.rpc import Query, RpcError
from marketplace.storage.store import ContentStore
from tests.fuzz.forge import answer, every_server_answers, joined, parts, scratch
from tests.fuzz.target import Target
from tests.unit.storage.blocks_by_hand import file_block

_PEER = "/ip4/10.1.2.3/tcp/4001/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
_MOST_READ = 1 << 20
_BLOB = b"what was asked for"


class _Request:
    def __init__(self, block: bytes) -> None:
        self._block = block

    def __enter__(self) -> _Request:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()

    def result(self, deadline: float) -> bytes:
        return self._block

    def give_up(self) -> None:
        """Nothing waits."""


class _AnyBlocks:
    """Has a block for every digest, the n-th of `held` for one that begins with n: files with any blocks in any order,
    in circles as well, which hashes alone keep an attacker from."""

    def __init__(self, held: list[bytes]) -> None:
        self._held = held

    def get(self, digest: bytes, deadline: float) -> bytes:
        return self._held[digest[0] % len(self._held)]

    def ask(self, digest: bytes) -> _Request:
        return _Request(self.get(digest, 0))


def _file(data: bytes) -> object:
    blocks = cast(Blocks, _AnyBlocks(parts(data, 6)))
    reader = FileReader(blocks, bytes(32), deadline=float("inf"))
    return sum(len(piece) for piece in reader.read(0, _MOST_READ))


def _file_seeds() -> Iterator[bytes]:
    leaf = file_block(b"0123456789")
    link = b"\x01" + bytes(31)  # the second block, whatever is in it
    node = file_block(links=((b"", 10), (b"", 10)))
    yield joined(node.replace(hashlib.sha256(b"").digest(), link), leaf, leaf, b"", b"", b"")
    yield joined(leaf, b"", b"", b"", b"", b"")


def _body(data: bytes) -> object:
    coding, length, kind, body = parts(data, 4)
    headers = {"transfer-encoding": coding.decode("latin-1"), "content-length": length.decode("latin-1")}
    path, target = scratch() / "body", scratch() / "upload"
    receive(io.BytesIO(body), headers, path)
    single_file(path, kind.decode("latin-1"), target)
    return target.stat().st_size


def _body_seeds() -> Iterator[bytes]:
    form = b'--abc\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--abc--\r\n'
    kind = b"multipart/form-data; boundary=abc"
    yield joined(b"", str(len(form)).encode(), kind, form)
    yield joined(b"chunked", b"", kind, b"%x\r\n%s\r\n0\r\n\r\n" % (len(form), form))


def _query(data: bytes) -> object:
    argument, length, timeout, flag = (part.decode("latin-1") for part in parts(data, 4))
    query = Query((argument,), {"length": length, "timeout": timeout, "pin": flag})
    found: list[object] = [query.count("length"), query.deadline(), query.flag("pin", True)]
    return [*found, query.digest()]


def _store(data: bytes) -> object:
    with every_server_answers(data), mock.patch.object(content_store, "_BACK_OFF_S", ()):
        store = ContentStore("/ip4/127.0.0.1/tcp/5001/http")
        done: list[object] = []
        for call in (
            store.ping,
            store.addresses,
            store.peers,
            lambda: store.add(_BLOB),
            lambda: store.pin(cid_of(_BLOB)),
            lambda: store.unpin(cid_of(_BLOB)),
            lambda: store.connect(_PEER),
            lambda: store.fetch(cid_of(_BLOB), max_bytes=1000, timeout_s=0.0),
        ):
            done.append(_told(call))
        return done


def _told(call: object) -> object:
    from marketplace.errors import FairshareError

    try:
        return call()  # type: ignore[operator]
    except FairshareError as error:
        return error.reason


def _store_seeds() -> Iterator[bytes]:
    yield answer(_BLOB)
    yield answer(b'{"Version":"0.22.0"}')
    yield answer(b'{"ID":"12D3","Addresses":["%s"]}' % _PEER.encode())
    yield answer(b'{"Peers":[{"Addr":"/ip4/10.1.2.3/tcp/4001","Peer":"12D3"}]}')
    yield answer(b'{"Name":"x","Hash":"%s","Size":"1"}' % cid_of(_BLOB).encode())
    yield b"\x03" + b'{"Message":"not pinned or pinned indirectly","Code":0,"Type":"error"}'


def _config(data: bytes) -> object:
    """The config of our own storage node, read back and written anew, as at each start."""
    repo = Repo(scratch() / "repo")
    repo.prepare()
    repo.config.write_bytes(data)
    repo.configure(listen="127.0.0.1", swarm_port=0)
    return json.loads(repo.config.read_text())["Addresses"]["Swarm"]


def _config_seeds() -> Iterator[bytes]:
    yield b'{"Addresses":{"Swarm":["/ip4/127.0.0.1/tcp/0"]},"Swarm":{"Transports":{}}}'
    yield b'{"Addresses":{"API":"","Swarm":["/ip4/0.0.0.0/tcp/4001","/ip6/::/tcp/4001"]},"Identity":{"PeerID":"12D3"}}'


def _block_seeds() -> Iterator[bytes]:
    yield file_block(b"data")
    yield file_block(links=((b"child", 5), (b"other", 7)))


TARGETS = (
    Target("cid", lambda data: digest_of(data.decode("latin-1")), lambda: [cid_of(b"").encode()]),
    Target("multiaddress", lambda data: check_multiaddress(data.decode("latin-1")), lambda: [_PEER.encode()]),
    Target("contact", decode_contact, lambda: [encode_contact(_PEER)]),
    Target("dag-block", parse_block, _block_seeds, also=(MalformedBlock,), largest=16_384),
    Target("dag-file", _file, _file_seeds, also=(MalformedBlock, BlockUnavailable)),
    Target("storage-request-body", _body, _body_seeds, also=(BadBody,)),
    Target(
        "storage-request-query",
        _query,
        lambda: [joined(cid_of(b"").encode(), b"100", b"1m30.5s", b"true")],
        also=(RpcError,),
    ),
    Target("storage-config", _config, _config_seeds, share=0.2, json_at=0),
    Target("storage-answer", _store, _store_seeds, share=0.2, json_at=1),
)
