"""The content store against RPC servers that lie, stall, break off or are not there."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of
from marketplace.storage.store import ContentStore

DATA = b"what was asked for"
CID = cid_of(DATA)


@contextmanager
def rpc(answer, port=0):
    """A server on 127.0.0.1 that reads each request and calls `answer(handler, call name)`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()
            self.close_connection = True
            answer(self, self.path.split("?")[0].removeprefix("/api/v0/"))

        def log_message(self, *arguments):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # clients break off here on purpose

    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"/ip4/127.0.0.1/tcp/{server.server_address[1]}/http"
        finally:
            server.shutdown()


def send(handler, body, status=200, kind="text/plain"):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def send_json(handler, document, status=200):
    send(handler, json.dumps(document).encode(), status, "application/json")


def send_forever(handler, piece, pause_s=0.0):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        time.sleep(pause_s)


def fetch_failure(answer, timeout_s=10.0, max_bytes=1000):
    with rpc(answer) as api, pytest.raises(FairshareError) as refusal:
        ContentStore(api).fetch(CID, max_bytes=max_bytes, timeout_s=timeout_s)
    assert "\n" not in str(refusal.value)
    return refusal.value.reason


def test_a_server_that_tells_the_truth():
    with rpc(lambda handler, _: send(handler, DATA)) as api:
        assert ContentStore(api).fetch(CID, max_bytes=len(DATA), timeout_s=10) == DATA


@pytest.mark.parametrize("body", [b"", DATA[:-1], DATA + b"\0", b"W" + DATA[1:], bytes(1000)])
def test_other_bytes_are_refused(body):
    assert fetch_failure(lambda handler, _: send(handler, body)) is Reason.INTEGRITY


def test_a_stream_without_end_is_cut_at_the_limit():
    assert fetch_failure(lambda handler, _: send_forever(handler, b"x" * 4096)) is Reason.TOO_LARGE


@pytest.mark.parametrize("start", [b"Transfer-Encoding: chunked\r\n\r\n7FFFFFFF\r\n", b"\r\n"])
def test_one_chunk_without_end_is_cut_at_the_limit(start):
    """Of a length that only it knows, or of none: what is read is what has come, not what is announced."""

    def answer(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + start)
        while True:
            handler.wfile.write(b"x" * 4096)

    assert fetch_failure(answer) is Reason.TOO_LARGE


def test_a_trickle_is_cut_when_time_is_up():
    answer = fetch_failure(
        lambda handler, _: send_forever(handler, b"x", 0.02), timeout_s=0.5, max_bytes=10**6
    )
    assert answer is Reason.UNAVAILABLE


def test_silence_is_cut_when_time_is_up():
    over = threading.Event()
    try:
        assert fetch_failure(lambda handler, _: over.wait(60), timeout_s=0.2) is Reason.UNAVAILABLE
    finally:
        over.set()


def test_a_body_that_breaks_off():
    def answer(handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n")

    assert fetch_failure(answer) is Reason.UNAVAILABLE


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("context deadline exceeded", Reason.UNAVAILABLE),
        ("block was not found locally (offline): ipld: could not find Qm", Reason.UNAVAILABLE),
        ("this dag node is a directory", Reason.INTEGRITY),
        ('proto: required field "Type" not set: unrecognized object type', Reason.INTEGRITY),
    ],
)
def test_errors_in_the_words_of_kubos_daemon(message, reason):
    error = {"Message": message, "Code": 0, "Type": "error"}
    assert fetch_failure(lambda handler, _: send_json(handler, error, 500)) is reason


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'"x"', b"null", b'{"Hash": 1}', b"\xff\xfe"])
def test_what_does_not_speak_the_rpc_is_no_storage(status, body):
    with rpc(lambda handler, _: send(handler, body, status, "application/json")) as api:
        store = ContentStore(api)
        for call in (store.ping, store.addresses, store.peers):
            with pytest.raises(FairshareError) as refusal:
                call()
            assert refusal.value.reason is Reason.STORAGE_UNREACHABLE
        with pytest.raises(FairshareError) as refusal:
            store.add(DATA)
        assert refusal.value.reason in (Reason.STORAGE_UNREACHABLE, Reason.INTEGRITY)


def test_a_node_that_stores_under_another_name_is_refused():
    answer = {"Name": "x", "Hash": cid_of(b"y"), "Size": "1"}
    with rpc(lambda handler, _: send_json(handler, answer)) as api, pytest.raises(FairshareError) as refusal:
        ContentStore(api).add(DATA)
    assert refusal.value.reason is Reason.INTEGRITY


def test_addresses_that_cannot_be_dialled_are_left_out():
    peer = "QmdqCDpXsz3KjshKFSfoWjdXiNaSzoXNeVffGXpnfRCcJa"
    good = f"/ip4/192.0.2.1/tcp/4001/p2p/{peer}"
    told = [good, f"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{peer}", "/ip4/192.0.2.1/tcp/4001", 7, None]
    with rpc(lambda handler, _: send_json(handler, {"ID": peer, "Addresses": told})) as api:
        assert ContentStore(api).addresses() == [good]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_node_that_is_down_is_unreachable_and_says_what_to_do():
    store = ContentStore(f"/ip4/127.0.0.1/tcp/{free_port()}/http")
    for call in (store.ping, lambda: store.fetch(CID, max_bytes=1, timeout_s=1)):
        with pytest.raises(FairshareError) as refusal:
            call()
        assert refusal.value.reason is Reason.STORAGE_UNREACHABLE
        assert refusal.value.hint


def test_a_node_that_comes_up_late_is_waited_for():
    port = free_port()
    store = ContentStore(f"/ip4/127.0.0.1/tcp/{port}/http")
    got = []
    waiting = threading.Thread(target=lambda: got.append(store.fetch(CID, max_bytes=100, timeout_s=20)))
    waiting.start()
    time.sleep(0.3)
    with rpc(lambda handler, _: send(handler, DATA), port):
        waiting.join()
    assert got == [DATA]


def test_a_proxy_in_the_environment_is_not_used_for_loopback(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with rpc(lambda handler, _: send(handler, DATA)) as api:
        assert ContentStore(api).fetch(CID, max_bytes=100, timeout_s=10) == DATA


@pytest.mark.parametrize(
    "api",
    [
        "",
        "http://127.0.0.1:5001",
        "/ip4/127.0.0.1",
        "/ip4/1.2.3/tcp/1/http",
        "/ip4/127.0.0.1/udp/1",
        "x" * 9999,
    ],
)
def test_what_is_no_rpc_address_is_refused(api):
    with pytest.raises(FairshareError) as refusal:
        ContentStore(api)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_connections_are_kept_and_one_that_was_closed_is_opened_again():
    seen = []

    def answer(handler, name):
        seen.append(handler.client_address)
        handler.close_connection = len(seen) == 3  # as a server does with one that was idle for long
        send_json(handler, {"Version": "0.22.0"})

    with rpc(answer) as api:
        store = ContentStore(api)
        for _ in range(5):
            store.ping()
    assert seen[0] == seen[1] == seen[2] != seen[3] == seen[4]
