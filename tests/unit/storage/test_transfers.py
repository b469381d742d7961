"""Transfers that are cut off go on where they were; where one peer does not serve a blob, others are asked."""

import os
import threading
import time

import pytest
from blocks_by_hand import block_path, digest, file_block

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import digest_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import Housekeeping, KeepingStore
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.providers import MOST, Providers
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.store import ContentStore

CHUNK = 262_144
PEER = "12D3KooWGzBfqyvNKAJFAMH6hyxRnSdVtzsEDXsTLfnxcdBQHHXb"


def address(port):
    return f"/ip4/127.0.0.1/tcp/{port}/p2p/{PEER}"


def leaves(repo, data):
    paths = [block_path(repo, digest(file_block(data[at : at + CHUNK]))) for at in range(0, len(data), CHUNK)]
    return [path for path in paths if path.exists()]


def test_a_fetch_that_is_killed_half_way_asks_only_for_the_rest(tmp_path):
    """The second source has only what the first did not get to send: whoever asks for the rest again waits for ever."""
    data = os.urandom(40 * CHUNK)
    with EmbeddedNode(tmp_path / "source") as source, EmbeddedNode(tmp_path / "sink") as sink:
        cid = ContentStore(source.api).add(data)
        source.stop()
        held = {path: path.read_bytes() for path in leaves(source.repo, data)}
        for path in list(held)[20:]:
            path.unlink()  # the source breaks off here
        source.start()
        store = KeepingStore(sink.api)
        store.connect(ContentStore(source.api).addresses()[0])
        with pytest.raises(FairshareError) as broken:
            store.fetch(cid, max_bytes=len(data), timeout_s=1)
        assert broken.value.reason is Reason.UNAVAILABLE
        sink._process.kill()
        sink._process.wait()
        sink.start()
        came = leaves(sink.repo, data)
        assert len(came) >= 20
        before = {path: path.stat().st_mtime_ns for path in came}
        source.stop()
        for path, block in held.items():
            path.write_bytes(block)
        for path in leaves(source.repo, data)[: len(came)]:
            path.unlink()  # and the second source never had these
        source.start()
        store = KeepingStore(sink.api)
        store.connect(ContentStore(source.api).addresses()[0])
        assert store.stat(cid, 5).missing <= (40 - len(came)) * (CHUNK + 64) + 16 * 64 + 128 * 64
        assert store.fetch(cid, max_bytes=len(data), timeout_s=30) == data
        assert {path: path.stat().st_mtime_ns for path in came} == before


@pytest.mark.deep
def test_a_blob_is_brought_in_slices_while_its_source_comes_and_goes(tmp_path):
    data = os.urandom(30 * CHUNK)
    with (
        EmbeddedNode(tmp_path / "source") as source,
        EmbeddedNode(tmp_path / "sink") as sink,
        PinLedger(tmp_path / "pins.sqlite", "sink") as ledger,
    ):
        cid = ContentStore(source.api).add(data)
        where = ContentStore(source.api).addresses()[0]
        store = KeepingStore(sink.api, Housekeeping(ledger, providers=(where,)))
        store.on_wanted(lambda: None)
        store.keep(cid, len(data), Why(1, 1, Purpose.MODEL))
        assert cid not in store.pins()
        source.stop()
        with pytest.raises(FairshareError):
            store.bring(cid, len(data), 0.5)
        source.start()
        store.providers._pauses.clear()
        store.bring(cid, len(data), 20)
        assert cid in store.pins()
        assert ledger.is_here(cid)


def test_the_progress_of_a_large_blob_is_told(tmp_path):
    class Telling(KeepingStore):
        def told(self, cid, have, most):
            told.append((cid, have, most))

    told = []
    data = os.urandom(24 * CHUNK)
    with EmbeddedNode(tmp_path / "node") as node:
        store = Telling(node.api)
        small = store.add(b"small")
        cid = store.add(data)
        store.fetch(small, max_bytes=5, timeout_s=10)
        assert told == []
        store.fetch(cid, max_bytes=len(data) + 1, timeout_s=10)
    assert told[-1] == (cid, len(data), len(data) + 1)
    assert [have for _, have, _ in told] == sorted(have for _, have, _ in told)


@pytest.mark.deep
def test_where_one_peer_is_silent_and_one_has_rubbish_another_is_asked(tmp_path, alices):
    data = os.urandom(3 * CHUNK)
    with (
        EmbeddedNode(tmp_path / "rubbish") as rubbish,
        EmbeddedNode(tmp_path / "reader") as reader,
    ):
        cid = ContentStore(rubbish.api).add(data)
        rubbish.stop()
        for path in leaves(rubbish.repo, data):
            path.write_bytes(b"rubbish" * 1000)
        rubbish.start()
        alices.add(data)
        addresses = (
            address(9),  # nobody listens there
            ContentStore(rubbish.api).addresses()[0],
            alices.addresses()[0],
        )
        store = KeepingStore(reader.api, Housekeeping(providers=addresses))
        # Bitswap may ask for half a minute nobody but who says that it has a block.
        assert store.fetch(cid, max_bytes=len(data), timeout_s=90) == data
        assert block_path(reader.repo, digest_of(cid)).exists()


class Phone:
    """Dials, and writes down whom."""

    def __init__(self, dead=()):
        self.dialled, self.dead, self.lock = [], dead, threading.Lock()

    def __call__(self, address):
        with self.lock:
            self.dialled.append(address)
        if address in self.dead:
            raise FairshareError(Reason.UNAVAILABLE, "nobody")


def test_who_does_not_answer_is_left_alone_for_a_while():
    phone = Phone(dead=(address(1),))
    providers = Providers(phone, [address(1), address(2)])
    providers.connect(5)
    providers.connect(5)
    assert sorted(phone.dialled) == sorted([address(1), address(2), address(2)])


def test_a_slow_one_holds_up_nobody():
    leave = threading.Event()

    def dial(where):
        if where == address(1):
            leave.wait(10)

    began = time.monotonic()
    Providers(dial, [address(1), address(2)]).connect(0.2)
    assert time.monotonic() - began < 5
    leave.set()


def test_named_addresses_stay_and_learnt_ones_make_room():
    phone = Phone()
    providers = Providers(phone, [address(1)])
    for port in range(2, 2 + MOST + 5):
        providers.learn(address(port))
    providers.connect(5)
    assert len(phone.dialled) == MOST
    assert address(1) in phone.dialled
    assert address(2) not in phone.dialled
    assert address(MOST + 6) in phone.dialled


def test_what_is_no_address_is_refused():
    with pytest.raises(FairshareError) as refused:
        Providers(Phone(), ["127.0.0.1:4001"])
    assert refused.value.reason is Reason.BAD_INPUT


def test_a_storage_node_that_is_down_is_no_peer_s_fault():
    def dial(where):
        raise FairshareError(Reason.STORAGE_UNREACHABLE, "down")

    with pytest.raises(FairshareError) as refused:
        Providers(dial, [address(1)]).connect(5)
    assert refused.value.reason is Reason.STORAGE_UNREACHABLE


def test_a_node_knows_only_whom_it_was_connected_to(tmp_path):
    """The library brings a hash table of who has what, over which two that share a peer would find each other."""
    with (
        EmbeddedNode(tmp_path / "hub") as hub,
        EmbeddedNode(tmp_path / "one") as one,
        EmbeddedNode(tmp_path / "two") as two,
    ):
        middle, *ends = (ContentStore(node.api) for node in (hub, one, two))
        for store in ends:
            store.connect(middle.addresses()[0])
        cid = ends[0].add(os.urandom(1000))
        with pytest.raises(FairshareError) as failure:
            ends[1].fetch(cid, max_bytes=1000, timeout_s=2.5)  # it looks for providers after a second
        assert failure.value.reason is Reason.UNAVAILABLE
        assert [store.peers() for store in ends] == [[middle.peer_id()]] * 2
