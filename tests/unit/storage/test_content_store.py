"""The content store over real nodes: blobs move between processes, and each failure has its reason."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from blocks_by_hand import block_path, digest, file_block, put

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.store import ContentStore

CHUNK = 262_144


def failure(call, *arguments, **options):
    with pytest.raises(FairshareError) as refusal:
        call(*arguments, **options)
    assert "\n" not in str(refusal.value)
    return refusal.value.reason


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 174 * CHUNK + 1])
def test_a_blob_moves_from_node_to_node(alices, bobs, size):
    data = os.urandom(size)
    cid = alices.add(data)
    assert cid == cid_of(data)
    assert bobs.fetch(cid, max_bytes=size, timeout_s=60) == data
    assert bobs.fetch(cid, max_bytes=size + 1, timeout_s=60) == data  # now from its own disk


def test_a_blob_beyond_the_limit_is_refused_before_it_moves(alices, bobs, bob):
    data = os.urandom(20 * CHUNK)
    cid = alices.add(data)
    assert failure(bobs.fetch, cid, max_bytes=3 * CHUNK, timeout_s=60) is Reason.TOO_LARGE
    blocks = [data[i * CHUNK : (i + 1) * CHUNK] for i in range(20)]
    moved = sum(block_path(bob.repo, digest(file_block(block))).exists() for block in blocks)
    assert moved <= 12  # what was asked for ahead, at most
    assert failure(bobs.fetch, cid, max_bytes=0, timeout_s=60) is Reason.TOO_LARGE
    assert bobs.fetch(cid, max_bytes=len(data), timeout_s=60) == data


def test_a_blob_that_nobody_serves_is_unavailable_in_time_and_comes_once_somebody_does(alices, bobs):
    data = os.urandom(1000)
    cid = cid_of(data)
    assert failure(bobs.fetch, cid, max_bytes=1000, timeout_s=0.3) is Reason.UNAVAILABLE
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(bobs.fetch, cid, max_bytes=1000, timeout_s=60) for _ in range(4)]
        while not any(future.running() for future in waiting):
            time.sleep(0.01)
        alices.add(data)
        assert [future.result() for future in waiting] == [data] * 4


def test_missing_blobs_hold_up_nothing_else(alices, bobs, bob):
    with ThreadPoolExecutor(16) as pool:
        missing = [
            pool.submit(failure, bobs.fetch, cid_of(os.urandom(32)), max_bytes=100, timeout_s=0.2)
            for _ in range(100)  # more than may be left waiting, so the node is recycled on the way
        ]
        for i in range(10):
            data = os.urandom(2 * CHUNK + i)
            assert bobs.fetch(alices.add(data), max_bytes=len(data), timeout_s=60) == data
            bobs.add(os.urandom(i))
        assert {future.result() for future in missing} == {Reason.UNAVAILABLE}
    assert "Cleaning up node" in (bob.repo / "kubo.log").read_text()
    while alices.addresses()[0].rsplit("/", 1)[1] not in bobs.peers():
        time.sleep(0.02)  # until it is dialled again
    data = os.urandom(CHUNK + 1)
    assert bobs.fetch(alices.add(data), max_bytes=len(data), timeout_s=60) == data


def test_three_nodes_pass_a_blob_on(alices, bobs, tmp_path):
    data = os.urandom(2 * CHUNK)
    cid = alices.add(data)
    bobs.pin(cid)
    with EmbeddedNode(tmp_path / "carol") as carol:
        store = ContentStore(carol.api)
        assert failure(store.fetch, cid, max_bytes=len(data), timeout_s=0.3) is Reason.UNAVAILABLE
        store.connect(bobs.addresses()[0])
        store.connect(bobs.addresses()[0])  # at once
        assert store.fetch(cid, max_bytes=len(data), timeout_s=60) == data


def test_a_peer_that_was_killed_serves_again_once_connected(bobs, tmp_path):
    data = os.urandom(2 * CHUNK)
    with EmbeddedNode(tmp_path / "dave") as dave:
        cid = ContentStore(dave.api).add(data)
        address = ContentStore(dave.api).addresses()[0]
        bobs.connect(address)
        os.kill(dave.pid, signal.SIGKILL)
        assert failure(bobs.fetch, cid, max_bytes=len(data), timeout_s=0.5) is Reason.UNAVAILABLE
        dave.stop()
        dave.start()
        bobs.connect(address)
        assert bobs.fetch(cid, max_bytes=len(data), timeout_s=60) == data


def test_pins(alices, bobs):
    data = os.urandom(3 * CHUNK)
    cid = alices.add(data)
    bobs.pin(cid, timeout_s=60)
    assert bobs.fetch(cid, max_bytes=len(data), timeout_s=60) == data
    bobs.unpin(cid)
    bobs.unpin(cid)
    assert failure(bobs.pin, cid_of(os.urandom(9)), timeout_s=0.3) is Reason.UNAVAILABLE


@pytest.mark.parametrize("cid", ["", "Qm", "../../etc/passwd", cid_of(b"x") + "/y", "--help"])
def test_what_is_no_cid_is_refused(alices, cid):
    for call in (alices.pin, alices.unpin):
        assert failure(call, cid) is Reason.BAD_INPUT
    assert failure(alices.fetch, cid, max_bytes=1, timeout_s=1) is Reason.BAD_INPUT


def test_peers_that_are_no_peers(alices, bobs):
    assert failure(alices.connect, "/ip4/127.0.0.1/tcp/1") is Reason.BAD_INPUT
    own, peer = bobs.addresses()[0].rsplit("/", 1)
    assert failure(alices.connect, f"/ip4/127.0.0.1/tcp/1/p2p/{peer[:-1]}1") is Reason.UNAVAILABLE
    _, other = alices.addresses()[0].rsplit("/", 1)
    assert failure(bobs.connect, f"{own}/{other[:-4]}1111") is Reason.UNAVAILABLE  # a node, but not that peer


def leaf(data):
    return file_block(data), len(data)


def hostile_files():
    """Files that no default `add` makes: name, blocks with the root last, most bytes asked for."""
    one = file_block(b"x")
    bomb, size = [one], 1
    for _ in range(4):
        bomb.append(file_block(b"", ((bomb[-1], size),) * 174))
        size *= 174
    small = [leaf(bytes([i]) * 100) for i in range(50)]
    yield "a bomb of 174^4 one-byte leaves in five blocks", bomb, 10_000
    yield "a bomb asked for whole", bomb, 50_000_000
    yield "small chunks", [block for block, _ in small] + [file_block(b"", tuple(small))], 5000
    yield "one large chunk", [file_block(bytes(300_000))], 300_000
    yield "a directory", [file_block(b"", kind=1)], 100
    yield "no dag-pb at all", [b"\xff" * 100], 100
    yield "a size that is not its own", [file_block(b"x", size=2**50)], 100
    yield "a child smaller than said", [one, file_block(b"", ((one, 200_000),))], 300_000
    first, second = leaf(bytes(CHUNK)), leaf(b"end")
    malformed = [first[0], b"\xff" * 9, file_block(b"", (first, (b"\xff" * 9, 3)))]
    yield "a leaf that is no dag-pb, after a good one", malformed, 300_000
    yield (
        "a needless node",
        [first[0], second[0], file_block(b"", (second,)), wrapped(first, second)],
        300_000,
    )


def wrapped(first, second):
    return file_block(b"", (first, (file_block(b"", (second,)), second[1])))


HOSTILE = list(hostile_files())


@pytest.fixture(scope="module")
def mallory(tmp_path_factory, bobs):
    """A node that serves hostile files, connected to Bob's."""
    node = EmbeddedNode(tmp_path_factory.mktemp("mallory"))
    node.start()
    node.stop()
    for _, blocks, _ in HOSTILE:
        put(node.repo, *blocks)
    with node:
        bobs.connect(ContentStore(node.api).addresses()[0])
        yield node


@pytest.mark.parametrize(
    ("blocks", "max_bytes"), [item[1:] for item in HOSTILE], ids=[item[0] for item in HOSTILE]
)
def test_a_hostile_file_is_refused(mallory, bobs, blocks, max_bytes):
    cid = put(mallory.repo, *blocks)
    assert failure(bobs.fetch, cid, max_bytes=max_bytes, timeout_s=60) is Reason.INTEGRITY


def test_a_file_of_which_a_block_is_missing_is_unavailable(mallory, bobs):
    first, second = leaf(os.urandom(CHUNK)), leaf(os.urandom(9))
    cid = put(mallory.repo, first[0], file_block(b"", (first, second)))
    assert failure(bobs.fetch, cid, max_bytes=300_000, timeout_s=0.5) is Reason.UNAVAILABLE


def test_a_block_damaged_on_disk_is_noticed(tmp_path):
    with EmbeddedNode(tmp_path / "node") as node:
        store = ContentStore(node.api)
        cid = store.add(b"as it was")
        path = block_path(node.repo, digest_of(cid))
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(b"was", b"is!"))
        assert failure(store.fetch, cid, max_bytes=100, timeout_s=5) is Reason.INTEGRITY
