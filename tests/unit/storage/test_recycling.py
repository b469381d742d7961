"""A node that is closed and started again within its process: for garbage, and for what its library does not let go."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from marketplace.errors import FairshareError
from marketplace.storage.cid import cid_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.store import ContentStore

_SHORT_LIVED = """
from marketplace.storage import blocks, kubo_node
blocks.MAX_DOWNLOADS = 4
kubo_node.main()
"""


@contextmanager
def short_lived(repo):
    """The RPC address of a node that is closed after four downloads."""
    command = [sys.executable, "-c", _SHORT_LIVED, "--repo", str(repo), "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[1]
        process.stdin.close()
        assert process.wait(20) == 0


def test_after_many_downloads_nobody_notices_that_it_is_started_again(tmp_path, alices):
    blobs = [os.urandom(100) for _ in range(14)]
    cids = [alices.add(blob) for blob in blobs]
    with short_lived(tmp_path / "node") as api:
        store = ContentStore(api)
        store.connect(alices.addresses()[0])
        assert [store.fetch(cid, max_bytes=100, timeout_s=20) for cid in cids] == blobs
        assert (tmp_path / "node" / "kubo.log").read_text().count("Cleaning up node") == 3


def test_who_had_dialled_it_is_dialled_when_it_is_started_again(tmp_path):
    with EmbeddedNode(tmp_path / "hub") as hub, EmbeddedNode(tmp_path / "leaf") as leaf:
        stores = ContentStore(hub.api), ContentStore(leaf.api)
        stores[1].connect(stores[0].addresses()[0])
        stores[0].collect_garbage()
        data = os.urandom(1000)
        assert stores[0].fetch(stores[1].add(data), max_bytes=1000, timeout_s=20) == data


def test_what_is_asked_for_before_it_is_there_comes_at_the_next_try(tmp_path):
    """The library tells its peers again after 30 s only, and of what it adds it tells nobody."""
    with EmbeddedNode(tmp_path / "hub") as hub, EmbeddedNode(tmp_path / "leaf") as leaf:
        here, there = ContentStore(hub.api), ContentStore(leaf.api)
        there.connect(here.addresses()[0])
        for _ in range(3):
            data = os.urandom(1000)
            with pytest.raises(FairshareError):
                here.fetch(cid_of(data), max_bytes=1000, timeout_s=0.6)
            cid = there.add(data)
            began = time.monotonic()
            assert here.fetch(cid, max_bytes=1000, timeout_s=25) == data
            assert time.monotonic() - began < 15
