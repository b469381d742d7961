"""Repos that a node makes, and those that it finds: of the version before, or cut short."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import base58
from nacl.signing import SigningKey

from marketplace.storage.cid import cid_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.kubo_library import library_file
from marketplace.storage.new_repo import write_new_repo
from marketplace.storage.store import ContentStore

DATA = b"from before"
# What the library itself makes of a new folder, and adds to it: an RSA key, and what it wrote before there was ours.
_FORMER = """
import ctypes, os, sys
repo, file, library = sys.argv[1:]
os.chdir(repo)
go = ctypes.CDLL(library)
for name in ("CreateRepo", "RunNode"):
    assert getattr(go, name)(repo.encode()) == 1
go.AddFile.restype = ctypes.c_char_p
print(go.AddFile(repo.encode(), file.encode(), False).decode())
go.CleanupNode(repo.encode())
"""


def test_the_key_in_a_new_repo_is_the_one_that_its_peer_id_names(alice, alices):
    identity = json.loads((alice.repo / "config").read_text())["Identity"]
    secret = base64.b64decode(identity["PrivKey"])
    assert secret[:4] == b"\x08\x01\x12\x40"
    public = SigningKey(secret[4:36]).verify_key.encode()
    assert secret[36:] == public
    assert base58.b58decode(identity["PeerID"]) == b"\x00\x24\x08\x01\x12\x20" + public
    assert alices.peer_id() == identity["PeerID"]


def test_what_it_writes_is_what_the_library_writes(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    write_new_repo(ours)
    _former(theirs)
    for name in ("version", "datastore_spec"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    configs = [json.loads((repo / "config").read_text()) for repo in (ours, theirs)]
    assert configs[0]["Datastore"].items() <= configs[1]["Datastore"].items()
    assert (ours / "config").stat().st_mode & 0o077 == 0


def test_a_repo_of_the_version_before_keeps_its_data_pins_and_identity(tmp_path):
    cid = _former(tmp_path / "node")
    before = json.loads((tmp_path / "node" / "config").read_text())["Identity"]
    assert before["PeerID"].startswith("Qm")
    for _ in range(2):
        with EmbeddedNode(tmp_path / "node") as node:
            store = ContentStore(node.api)
            assert store.peer_id() == before["PeerID"]
            assert store.fetch(cid, max_bytes=len(DATA), timeout_s=10) == DATA
            assert cid in store.pins()
            store.collect_garbage()
            assert store.fetch(cid, max_bytes=len(DATA), timeout_s=10) == DATA


def test_a_repo_whose_making_was_cut_short_is_made_again(tmp_path):
    repo = tmp_path / "node"
    repo.mkdir()
    write_new_repo(repo)
    (repo / "config").rename(repo / "config.new")  # the last step was not taken
    with EmbeddedNode(repo) as node:
        assert ContentStore(node.api).add(DATA) == cid_of(DATA)


def _former(repo: Path) -> str:
    repo.mkdir()
    file = repo.with_suffix(".data")
    file.write_bytes(DATA)
    command = [sys.executable, "-c", _FORMER, str(repo), str(file), str(library_file())]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
