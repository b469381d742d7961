"""The node's process: its life, what survives it, and its RPC as other clients see it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import ipfshttpclient
import pytest

from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.storage.cid import cid_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.http_body import MAX_BODY_BYTES
from marketplace.storage.store import ContentStore


def url(node):
    _, _, host, _, port, _ = node.api.split("/")
    return f"http://{host}:{port}/api/v0/"


def call(node, name, **options):
    return httpx.post(url(node) + name, params=options, timeout=60)


def is_alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_gone(pid):
    while is_alive(pid):
        time.sleep(0.02)


def test_data_pins_and_identity_survive_a_kill(tmp_path):
    data = os.urandom(700_000)
    with EmbeddedNode(tmp_path / "node") as node:
        cid = ContentStore(node.api).add(data)
        addresses = ContentStore(node.api).addresses()
        node._process.kill()
        node._process.wait()
        assert not node.running
        assert (node.repo / "api").exists()  # nobody was there to remove it
        with pytest.raises(FairshareError) as refusal:
            ContentStore(node.api).ping()
        assert refusal.value.reason is Reason.STORAGE_UNREACHABLE
        node.start()
        node.start()  # nothing happens
        store = ContentStore(node.api)
        assert store.fetch(cid, max_bytes=len(data), timeout_s=20) == data
        assert store.addresses() == addresses
        assert call(node, "pin/ls", type="recursive").json() == {"Keys": {cid: {"Type": "recursive"}}}


def test_a_kill_in_the_middle_of_an_upload_leaves_a_sound_node(tmp_path):
    with EmbeddedNode(tmp_path / "node") as node:
        store = ContentStore(node.api)
        before = os.urandom(300_000)
        cid = store.add(before)
        for delay_s in (0.0, 0.02, 0.05, 0.1):
            upload = subprocess.Popen(
                [sys.executable, "-c", _UPLOAD, node.api], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            upload.stdout.readline()
            time.sleep(delay_s)
            node._process.kill()
            node._process.wait()
            upload.kill()
            upload.communicate()
            node.start()
            store = ContentStore(node.api)
            assert list((node.repo / "tmp").iterdir()) == []
            assert store.fetch(cid, max_bytes=len(before), timeout_s=20) == before
            assert store.add(before) == cid


_UPLOAD = """
import os, sys
from marketplace.storage.store import ContentStore
store = ContentStore(sys.argv[1])
data = os.urandom(30_000_000)
print("now", flush=True)
store.add(data)
"""


def test_sigterm_and_the_rpc_stop_it_cleanly(tmp_path):
    for stop in (
        lambda node: os.kill(node.pid, signal.SIGTERM),
        lambda node: os.kill(node.pid, signal.SIGINT),
        lambda node: call(node, "shutdown").raise_for_status(),
    ):
        node = EmbeddedNode(tmp_path / "node")
        node.start()
        assert (node.repo / "api").read_text().strip() == node.api
        process = node._process
        stop(node)
        assert process.wait() == 0
        assert not (node.repo / "api").exists()
        node.stop()


def test_it_ends_with_waiting_requests(tmp_path):
    with EmbeddedNode(tmp_path / "node") as node:
        with pytest.raises(FairshareError):
            ContentStore(node.api).fetch(cid_of(os.urandom(9)), max_bytes=9, timeout_s=0.1)
        process = node._process
        node.stop()
        assert process.returncode == 0


def test_it_ends_when_its_parent_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from marketplace.storage.embedded import EmbeddedNode\n"
        "node = EmbeddedNode(Path(sys.argv[1])); node.start(); print(node.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.communicate()
    wait_until_gone(pid)


def test_a_repo_has_one_node_at_a_time(alice):
    with pytest.raises(FairshareError, match="another storage node runs") as refusal:
        EmbeddedNode(alice.repo).start()
    assert refusal.value.reason is Reason.STORAGE_UNREACHABLE
    assert (alice.repo / "api").exists()
    ContentStore(alice.api).ping()


def test_ports_in_use_and_damaged_configs_are_told(tmp_path, alice):
    port = int(alice.api.split("/")[4])
    swarm_port = int(ContentStore(alice.api).addresses()[0].split("/")[4])
    for options, words in (({"api_port": port}, "API port"), ({"swarm_port": swarm_port}, "swarm port")):
        with pytest.raises(FairshareError, match=words):
            EmbeddedNode(tmp_path / words, **options).start()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config").write_text("{}")
    with pytest.raises(FairshareError, match="damaged"):
        EmbeddedNode(tmp_path / "damaged").start()


def test_the_command_line_ends_with_the_status_of_its_reason(alice):
    command = [sys.executable, "-m", "marketplace.storage.kubo_node", "--repo", str(alice.repo)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_STATUS[Reason.REFUSED]
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_the_config_is_offline_and_private(alice):
    config = json.loads((alice.repo / "config").read_text())
    assert config["Bootstrap"] == []
    assert config["Discovery"]["MDNS"]["Enabled"] is False
    assert all(address.startswith("/ip4/127.0.0.1/tcp/") for address in config["Addresses"]["Swarm"])
    assert config["Experimental"]["StrategicProviding"] is True  # it announces nothing
    assert (alice.repo / "config").stat().st_mode & 0o077 == 0
    assert all(address.startswith("/ip4/127.0.0.1/tcp/") for address in ContentStore(alice.api).addresses())


def test_another_client_finds_kubos_rpc(alice, bobs):
    client = ipfshttpclient.Client(alice.api)
    data = os.urandom(600_000)
    cid = client.add_bytes(data)
    assert cid == cid_of(data)
    assert client.cat(cid) == data
    assert client.cat(cid, offset=262_143, length=3) == data[262_143:262_146]
    assert client.cat(cid, offset=599_999) == data[599_999:]
    assert client.cat(cid, offset=600_000) == b""
    assert client.cat(cid, length=0) == b""
    assert client.add_bytes(b"not kept", opts={"only-hash": "true"}) == cid_of(b"not kept")
    assert client.add_bytes(b"not pinned", opts={"pin": "false"}) == cid_of(b"not pinned")
    assert client.cat(cid_of(b"not pinned")) == b"not pinned"
    kinds = {name: entry["Type"] for name, entry in client.pin.ls()["Keys"].items()}
    assert kinds[cid] == "recursive"
    assert cid_of(b"not pinned") not in kinds
    assert cid_of(data[:262_144]) in kinds
    assert kinds[cid_of(data[:262_144])] == "indirect"
    assert client.pin.ls(cid)["Keys"] == {cid: {"Type": "recursive"}}
    client.pin.rm(cid)
    with pytest.raises(ipfshttpclient.exceptions.ErrorResponse, match="is not pinned"):
        client.pin.ls(cid)
    client.pin.add(cid)
    assert client.version()["Version"] == "0.22.0"
    identity = client.id()
    assert all(address.endswith("/p2p/" + identity["ID"]) for address in identity["Addresses"])
    bob_id = bobs.addresses()[0].rsplit("/", 1)[1]
    assert [peer["Peer"] for peer in client.swarm.peers()["Peers"]] == [bob_id]
    assert client.repo.stat()["NumObjects"] > 3
    with pytest.raises(ipfshttpclient.exceptions.ErrorResponse, match="deadline exceeded"):
        client.cat(cid_of(os.urandom(8)), opts={"timeout": "100ms"})


def test_requests_that_are_not_for_it_are_refused(alice):
    assert httpx.get(url(alice) + "id").status_code == 405
    assert call(alice, "no/such/call").status_code == 404
    assert httpx.post(url(alice).replace("api/v0", "api/v1") + "id").status_code == 404
    for headers in (
        {"Origin": "http://example.org"},
        {"Referer": "http://example.org"},
        {"Host": "example.org"},
    ):
        assert httpx.post(url(alice) + "id", headers=headers).status_code == 403
    for name, options in (
        ("cat", {}),
        ("cat", {"arg": "x"}),
        ("cat", {"arg": cid_of(b""), "offset": "-1"}),
        ("cat", {"arg": cid_of(b""), "length": "1e3"}),
        ("cat", {"arg": cid_of(b""), "timeout": "soon"}),
        ("cat", {"arg": cid_of(b""), "timeout": "1" * 100 + "s"}),
        ("pin/rm", {"arg": cid_of(b"never pinned")}),
        ("swarm/connect", {"arg": "/ip4/127.0.0.1/tcp/1"}),
    ):
        answer = call(alice, name, **options)
        assert answer.status_code == 500
        assert answer.json()["Type"] == "error"
    assert call(alice, "id", **{f"o{i}": "x" for i in range(100)}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": str(MAX_BODY_BYTES + 1)}, b""),
        ({"Content-Length": "x"}, b""),
        ({"Content-Length": "-1"}, b""),
        ({"Content-Length": "10"}, b"0123456789"),
        ({"Transfer-Encoding": "chunked"}, b"zz\r\n"),
        ({"Transfer-Encoding": "chunked"}, b"40000000\r\n"),
        ({"Transfer-Encoding": "chunked"}, b"2\r\nabc\r\n0\r\n\r\n"),
        ({"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "3"}, b"abc"),
        ({"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "10"}, b"--b\r\n\r\nabc"),
    ],
)
def test_uploads_that_are_none_are_refused(alice, headers, body):
    host, port = url(alice)[7:].split("/")[0].split(":")
    lines = [
        "POST /api/v0/add HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert not [path for path in (alice.repo / "tmp").iterdir() if path.name.startswith(("body", "upload"))]


@pytest.mark.parametrize("option", ["cid-version=1", "raw-leaves=true", "chunker=size-1024", "hash=blake3"])
def test_other_layouts_are_refused(alice, option):
    answer = httpx.post(url(alice) + "add?" + option, files={"file": b"x"})
    assert answer.status_code == 500
    assert "only" in answer.json()["Message"]


def test_its_files_do_not_grow_without_bound(alice):
    log = alice.repo / "kubo.log"
    os.truncate(log, 5 * 1024 * 1024)
    store = ContentStore(alice.api)
    store.fetch(store.add(b"x"), max_bytes=1, timeout_s=20)
    assert log.stat().st_size < 1024 * 1024
