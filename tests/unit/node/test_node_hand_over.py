from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason
from marketplace.node.hand_over import MAX_RECEIPT_BYTES, SignedSubmission, hand_over

SUBMISSION = SignedSubmission(3, 2, Address("0x" + "ab" * 20), b"d" * 32, b"b" * 32, b"s" * 65)
LOCAL, PUBLIC = 31337, 1


class Stranger(http.server.ThreadingHTTPServer):
    status, answer = 200, b'{"receipt": "0x01"}'


class Handler(http.server.BaseHTTPRequestHandler):
    server: Stranger

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server: Stranger) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_receipt_comes_back(stranger: Stranger) -> None:
    assert hand_over(url(stranger), SUBMISSION, chain_id=LOCAL) == "0x01"
    stranger.answer = b'{"receipt": {"by": 1}}'
    assert hand_over(url(stranger) + "/", SUBMISSION, chain_id=LOCAL) == '{"by": 1}'


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"{}"),
        (302, b'{"receipt": "0x01"}'),
        (200, b""),
        (200, b"[]"),
        (200, b'{"recipe": 1}'),
        (200, b"[" * MAX_RECEIPT_BYTES),
        (200, b'{"receipt": "' + b"x" * MAX_RECEIPT_BYTES + b'"}'),
    ],
)
def test_anything_else_is_no_receipt(stranger: Stranger, status: int, answer: bytes) -> None:
    stranger.status, stranger.answer = status, answer
    with pytest.raises(FairshareError) as refusal:
        hand_over(url(stranger), SUBMISSION, chain_id=LOCAL)
    assert refusal.value.reason is Reason.UNAVAILABLE


def test_nobody_answers() -> None:
    with pytest.raises(FairshareError) as refusal:
        hand_over("http://127.0.0.1:1", SUBMISSION, chain_id=LOCAL)
    assert refusal.value.reason is Reason.UNAVAILABLE


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://user@example.org",
        "http://example.org/?a=b",
        "http://127.0.0.1:8545",
        "http://localhost:8545",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://[::1]:80",
        "http://0.0.0.0",
        "http://printer.local",
    ],
)
def test_addresses_that_lead_nowhere_or_inside_are_refused(address: str) -> None:
    with pytest.raises(FairshareError) as refusal:
        hand_over(address, SUBMISSION, chain_id=PUBLIC)
    assert refusal.value.reason is Reason.BAD_INPUT
