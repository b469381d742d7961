"""Garbage of a real repo: what no pin needs goes, what one needs stays, whoever works meanwhile."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from blocks_by_hand import block_path, digest, file_block, put

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.garbage import PinGate
from marketplace.storage.store import ContentStore

CHUNK = 262_144


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with EmbeddedNode(tmp_path_factory.mktemp("garbage")) as started:
        yield started


@pytest.fixture
def store(node):
    return ContentStore(node.api)


def call(node, name, **options):
    _, _, host, _, port, _ = node.api.split("/")
    return requests.post(f"http://{host}:{port}/api/v0/{name}", params=options, timeout=30)


def is_here(node, cid):
    return block_path(node.repo, digest_of(cid)).exists()


def test_what_is_not_pinned_goes_and_can_be_added_again(node, store):
    kept, gone = os.urandom(5 * CHUNK), os.urandom(5 * CHUNK)
    cids = store.add(kept), store.add(gone)
    before = store.used()
    store.unpin(cids[1])
    store.collect_garbage()
    assert before - store.used() >= 5 * CHUNK
    assert [is_here(node, cid) for cid in cids] == [True, False]
    assert store.fetch(cids[0], max_bytes=len(kept), timeout_s=10) == kept
    with pytest.raises(FairshareError) as missing:
        store.fetch(cids[1], max_bytes=len(gone), timeout_s=0.3)
    assert missing.value.reason is Reason.UNAVAILABLE
    assert store.add(gone) == cids[1]  # the node does not take it for there, nor waits for peers
    assert store.fetch(cids[1], max_bytes=len(gone), timeout_s=10) == gone


def test_blocks_that_two_blobs_share_stay_for_the_other(store):
    shared = os.urandom(2 * CHUNK)
    one, two = shared + os.urandom(CHUNK), shared + os.urandom(CHUNK)
    cids = store.add(one), store.add(two)
    store.unpin(cids[0])
    store.collect_garbage()
    assert store.fetch(cids[1], max_bytes=len(two), timeout_s=10) == two


def test_a_new_repo_survives_it_and_a_restart_after_it(tmp_path):
    with EmbeddedNode(tmp_path / "node") as node:
        ContentStore(node.api).collect_garbage()
        node.stop()
        node.start()
        store = ContentStore(node.api)
        assert store.fetch(store.add(b"as before"), max_bytes=9, timeout_s=10) == b"as before"


def test_what_was_removed_is_told_as_kubo_tells_it(node, store):
    cid = store.add(os.urandom(100))
    store.unpin(cid)
    lines = [json.loads(line) for line in call(node, "repo/gc").text.splitlines()]
    assert {"Key": {"/": cid}} in lines
    assert call(node, "repo/gc", quiet="true").content == b""


def test_adding_and_pinning_meanwhile_loses_nothing(node, store):
    stop = threading.Event()

    def collect():
        while not stop.is_set():
            store.collect_garbage()

    def add_and_read(number):
        data = os.urandom(CHUNK + number)
        cid = store.add(data)
        store.unpin(cid)
        store.add(data)
        store.pin(cid)
        assert store.fetch(cid, max_bytes=len(data), timeout_s=30) == data
        return cid

    with ThreadPoolExecutor(5) as pool:
        collecting = pool.submit(collect)
        cids = list(pool.map(add_and_read, range(8)))
        stop.set()
        collecting.result()
    store.collect_garbage()
    assert all(is_here(node, cid) for cid in cids)
    assert set(cids) <= store.pins()


def test_how_much_is_missing_is_known_by_the_root_alone(node, store):
    data = os.urandom(4 * CHUNK)
    cid = store.add(data)
    assert (store.stat(cid, 5).size, store.stat(cid, 5).missing) == (len(data), 0)
    leaf = block_path(node.repo, digest(file_block(data[:CHUNK])))
    taken = leaf.read_bytes()
    leaf.unlink()
    assert CHUNK <= store.stat(cid, 5).missing <= CHUNK + 2048
    leaf.write_bytes(taken)


def test_a_hostile_root_is_measured_without_being_walked(tmp_path):
    with EmbeddedNode(tmp_path / "node") as node:
        node.stop()
        huge = put(node.repo, file_block(links=((b"nobody has it", 2**50),)))
        child = file_block(b"x" * 10)
        false = put(node.repo, child, file_block(links=((child, 99),)))
        node.start()
        store = ContentStore(node.api)
        assert store.stat(huge, 5).size == 2**50
        assert store.stat(huge, 5).missing >= 2**50
        with pytest.raises(FairshareError) as refusal:
            store.stat(false, 5)
        assert refusal.value.reason is Reason.INTEGRITY
        with pytest.raises(FairshareError) as refusal:
            store.stat(cid_of(b"nowhere"), 0.2)
        assert refusal.value.reason is Reason.UNAVAILABLE


def test_who_collects_waits_for_who_pins_and_holds_up_the_next():
    gate, order = PinGate(), []
    inside, leave = threading.Event(), threading.Event()

    def pin(name, hold):
        with gate.changing():
            order.append(name)
            inside.set()
            if hold:
                leave.wait(5)

    def collect():
        with gate.collecting():
            order.append("collect")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(pin, "first", True)
        assert inside.wait(5)
        collecting = pool.submit(collect)
        while not gate._collecting:
            pass
        second = pool.submit(pin, "second", False)
        leave.set()
        for future in (first, collecting, second):
            future.result(5)
    assert order == ["first", "collect", "second"]
