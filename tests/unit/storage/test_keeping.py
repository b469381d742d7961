"""A store with a ledger and a cap over real nodes: full repos, full disks, kills and restarts."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.storage import keeping
from marketplace.storage.cid import cid_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import Housekeeping, KeepingStore
from marketplace.storage.kept_running import kept_running
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.store import ContentStore

CHUNK = 262_144
MODEL = Why(1, 1, Purpose.MODEL)


@pytest.fixture
def ledger(tmp_path):
    with PinLedger(tmp_path / "pins.sqlite", "alice") as opened:
        yield opened


@pytest.fixture
def node(tmp_path):
    with EmbeddedNode(tmp_path / "node") as started:
        yield started


def refusal(call, *arguments, **options):
    with pytest.raises(FairshareError) as refused:
        call(*arguments, **options)
    return refused.value


def test_what_does_not_fit_under_the_cap_is_refused_until_something_ends(node, ledger):
    store = KeepingStore(node.api, Housekeeping(ledger, cap=10 * CHUNK))
    first, second = os.urandom(6 * CHUNK), os.urandom(6 * CHUNK)
    cid = store.add(first, MODEL)
    refused = refusal(store.add, second, MODEL)
    assert refused.reason is Reason.STORAGE_FULL
    assert "1.6 MB of 2.6 MB: 1.6 MB more" in refused.message
    assert store.add(first, Why(2, 1, Purpose.MODEL)) == cid  # that is here already
    for why in (MODEL, Why(2, 1, Purpose.MODEL)):
        ledger.end(cid, why, 1)
    ledger.drop(1)
    ledger.release(store.unpin)
    assert store.add(second, MODEL) == cid_of(second)  # garbage went first
    assert store.used() < 7 * CHUNK


def test_a_fetch_makes_room_before_it_moves_anything(node, ledger, alices):
    store = KeepingStore(node.api, Housekeeping(ledger, cap=10 * CHUNK))
    store.connect(alices.addresses()[0])
    one, two = os.urandom(6 * CHUNK), os.urandom(6 * CHUNK)
    cids = alices.add(one), alices.add(two)
    for cid, data in zip(cids, (one, two), strict=True):  # the first is nobody's: it goes
        assert store.fetch(cid, max_bytes=len(data), timeout_s=30) == data
    store.keep(cids[1], len(two), MODEL)
    refused = refusal(store.fetch, cids[0], max_bytes=len(one), timeout_s=30)
    assert refused.reason is Reason.STORAGE_FULL
    assert store.used() < 8 * CHUNK
    assert refusal(store.fetch, cids[0], max_bytes=CHUNK, timeout_s=30).reason is Reason.TOO_LARGE


def test_what_a_stranger_named_is_not_kept_beyond_its_bound(node, ledger, alices):
    store = KeepingStore(node.api, Housekeeping(ledger))
    store.connect(alices.addresses()[0])
    cid = alices.add(os.urandom(2 * CHUNK))
    assert refusal(store.keep, cid, CHUNK, MODEL).reason is Reason.TOO_LARGE
    assert cid not in store.pins()


def test_pins_of_others_in_a_shared_repo_stay(node, ledger):
    theirs = ContentStore(node.api).add(b"somebody's")
    store = KeepingStore(node.api, Housekeeping(ledger, shared=True))
    ours = store.add(b"ours", MODEL)
    store.add(b"somebody's", MODEL)
    for cid in (ours, theirs):
        ledger.end(cid, MODEL, 1)
    ledger.drop(1)
    assert ledger.release(store.unpin) == 2
    assert store.pins() & {ours, theirs} == {theirs}


_ADD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from marketplace.storage import store as plain
from marketplace.storage.keeping import KeepingStore, Housekeeping
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.reasons import Purpose, Why
api, path, before = sys.argv[1:]
add = plain.ContentStore.add
def killed(self, data, why=None):
    if before == "no":
        add(self, data, why)
    os.kill(os.getpid(), signal.SIGKILL)
plain.ContentStore.add = killed
KeepingStore(api, Housekeeping(PinLedger(Path(path), "alice"))).add(b"kept", Why(1, 1, Purpose.MODEL))
"""


@pytest.mark.parametrize("before", ["yes", "no"])
def test_a_kill_around_an_add_neither_loses_nor_leaks(node, tmp_path, before):
    path, cid = tmp_path / "pins.sqlite", cid_of(b"kept")
    died = subprocess.run([sys.executable, "-c", _ADD_AND_DIE, node.api, str(path), before], check=False)
    assert died.returncode == -signal.SIGKILL
    with PinLedger(path, "alice") as ledger:
        store = KeepingStore(node.api, Housekeeping(ledger))
        assert ledger.knows(cid)
        assert not ledger.is_here(cid)
        assert (cid in store.pins()) is (before == "no")
        assert store.add(b"kept", MODEL) == cid  # as its caller does after a restart
        assert ledger.is_here(cid)
        ledger.end(cid, MODEL, 1)
        ledger.drop(1)
        ledger.release(store.unpin)
        assert cid not in store.pins()


def test_a_body_that_the_disk_does_not_take_is_told_and_the_node_goes_on(node):
    store = ContentStore(node.api)
    data = os.urandom(8 * CHUNK)
    limits = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (CHUNK, limits[1]))
    try:
        refused = refusal(store.add, data)
    finally:
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, limits)
    assert refused.reason is Reason.STORAGE_FULL
    assert store.add(data) == cid_of(data)
    assert list((node.repo / "tmp").iterdir()) == []


@contextmanager
def node_on_a_small_disk(folder, megabytes):
    """A node whose repo is a file system of its own, in a mount namespace of its own; its RPC."""
    script = f'mount -t tmpfs -o size={megabytes}m small "$1" && exec "$2" -m marketplace.storage.kubo_node --repo "$1"'
    namespace = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    folder.mkdir()
    process = subprocess.Popen(
        [*namespace, "sh", "-c", script, "sh", str(folder), sys.executable], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("ready "), "the kernel gives no mount namespace to this user"
        yield line.split()[1]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def fill(store, stored):
    for _ in range(16):
        stored.append(store.add(os.urandom(16 * CHUNK)))


@pytest.mark.deep  # not every container lets a file system be mounted
def test_a_full_disk_is_told_with_its_numbers_and_passes(tmp_path, alices):
    assert shutil.which("unshare")
    with node_on_a_small_disk(tmp_path / "disk", 64) as api:
        store = ContentStore(api)
        stored = []
        refused = refusal(fill, store, stored)
        assert refused.reason is Reason.STORAGE_FULL
        assert "bytes are left" in refused.message
        assert len(stored) >= 4
        large = os.urandom(60 * CHUNK)
        cid = alices.add(large)
        store.connect(alices.addresses()[0])
        assert refusal(store.fetch, cid, max_bytes=len(large), timeout_s=10).reason is Reason.STORAGE_FULL
        for each in stored:
            store.unpin(each)
        store.collect_garbage()
        assert store.fetch(cid, max_bytes=len(large), timeout_s=30) == large
        assert store.add(os.urandom(16 * CHUNK))


def test_a_node_that_dies_comes_back_at_the_same_address(tmp_path):
    said = []
    with kept_running(EmbeddedNode(tmp_path / "node"), said.append) as node:
        store = KeepingStore(node.api)
        cid = store.add(b"kept")
        os.kill(node.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while not node.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.fetch(cid, max_bytes=4, timeout_s=20) == b"kept"
    assert said == ["the storage node is gone: starting it again"]
    assert not node.running


def test_a_node_that_had_peers_is_not_asked_for_them_at_each_fetch(node, alices, monkeypatch):
    class Counting(KeepingStore):
        asked = 0

        def peers(self):
            self.asked += 1
            return super().peers()

    store = Counting(node.api, Housekeeping(providers=tuple(alices.addresses()[:1])))
    blobs = [os.urandom(10) for _ in range(3)]
    cids = [alices.add(blob) for blob in blobs]
    assert store.fetch(cids[0], max_bytes=10, timeout_s=20) == blobs[0]  # it had none, and dialled
    for cid, blob in zip(cids, blobs, strict=True):
        assert store.fetch(cid, max_bytes=10, timeout_s=20) == blob
    assert store.asked == 2
    monkeypatch.setattr(keeping, "_WITH_PEERS_S", -1.0)
    store._ask_peers_at = 0.0
    assert [store.fetch(cid, max_bytes=10, timeout_s=20) for cid in cids] == blobs
    assert store.asked == 5
