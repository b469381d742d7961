"""`fairshare signer run`: a key in a process of its own, in use by a sender, and asked by strangers."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from marketplace.chain.remote_signer import RemoteSigner
from marketplace.chain.signer import LocalSigner
from marketplace.chain.signing_rules import Rules
from marketplace.chain.submission import sign_submission
from marketplace.chain.types import address
from marketplace.devnet.anvil import public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.journal import Journal
from marketplace.node.previews import Market, Preview
from marketplace.node.signer_server import listener, server_of
from marketplace.node.signer_service import SignerService
from marketplace.storage.cid import cid_of
from tests.unit.chain.test_signing_rules import SUBMIT
from zk.curve import Point

ACCOUNT = public_account(13)
OWN, HERE = address(ACCOUNT.address), address("0x" + "ab" * 20)
FIELDS: dict[str, Any] = {
    "type": 2,
    "chainId": 5,
    "nonce": 3,
    "to": HERE,
    "value": 0,
    "data": bytes.fromhex(SUBMIT[2:]),
    "gas": 100,
    "maxFeePerGas": 10,
    "maxPriorityFeePerGas": 1,
}


@contextmanager
def running(folder: Path, place: str, **limits: Any) -> Iterator[str]:
    """Serves in a thread; the address that it is reached at."""
    logging.configure(file=folder / "log.jsonl")
    rules = Rules(5, OWN, frozenset({HERE}), **limits)
    with Journal(folder / "signer.sqlite") as journal, listener(place) as bound:
        server = server_of(SignerService(ACCOUNT, rules, journal, logging.logger()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield place if place.startswith("unix:") else f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(params=["unix", "port"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    place = f"unix:{tmp_path / 'signer.sock'}" if request.param == "unix" else "127.0.0.1:0"
    with running(tmp_path, place) as found:
        yield found


def test_it_signs_what_nodes_need(url: str) -> None:
    signer, local = RemoteSigner(url, OWN), LocalSigner(ACCOUNT)
    signer.check()
    assert signer.sign_transaction(FIELDS) == local.sign_transaction(FIELDS)
    given = (5, HERE, 7, 2, b"\x01" * 32)
    assert sign_submission(signer, *given) == sign_submission(ACCOUNT, *given)
    preview, market = Preview(7, 2, cid_of(b"model"), Point(1, 2)), Market(5, HERE)
    assert preview.sign(market, signer) == preview.sign(market, ACCOUNT)


def test_what_it_refuses_is_told(url: str) -> None:
    signer = RemoteSigner(url, OWN)
    refused: tuple[Callable[[], object], ...] = (
        lambda: signer.sign_text("log me in"),
        lambda: signer.sign_transaction({**FIELDS, "to": OWN}),
        lambda: sign_submission(signer, 6, HERE, 7, 2, b"\x01" * 32),
    )
    for action in refused:
        with pytest.raises(FairshareError, match="the signer refuses") as caught:
            action()
        assert caught.value.reason is Reason.BAD_INPUT


def test_a_project_takes_no_more_than_its_limit(tmp_path: Path) -> None:
    place = f"unix:{tmp_path / 'signer.sock'}"
    for restart in range(2):  # which forgets nothing
        with running(tmp_path, place, project_limit=2500) as found:
            signer = RemoteSigner(found, OWN)
            signer.sign_transaction(FIELDS)
            signer.sign_transaction(
                {**FIELDS, "maxFeePerGas": 12}
            )  # in its place: the dearer of the two counts
            signer.sign_transaction({**FIELDS, "nonce": 4})
            with pytest.raises(FairshareError, match="project 7 may take 2500 wei, 2200 are signed for"):
                signer.sign_transaction({**FIELDS, "nonce": 5 + restart})


def post(url: str, body: bytes, **headers: str) -> httpx.Response:
    unix = url.startswith("unix:")
    transport = httpx.HTTPTransport(uds=url.removeprefix("unix:")) if unix else None
    with httpx.Client(transport=transport, trust_env=False) as client:
        given = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return client.post("http://localhost/" if unix else url, content=body, headers=given)


ACCOUNTS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_accounts", "params": []}).encode()


def test_what_a_page_in_a_browser_sends_is_refused(url: str) -> None:
    assert post(url, ACCOUNTS).json()["result"] == [OWN]
    assert post(url, ACCOUNTS, content_type="text/plain").status_code == 403
    assert post(url, ACCOUNTS, origin="http://evil.example").status_code == 403
    assert post(url, ACCOUNTS, host="evil.example").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"method": 3}',
        b'{"method": "eth_sign", "params": {}}',
        b'{"method": "eth_sign", "params": []}',
        b'{"method": "eth_sendTransaction", "params": [{}]}',
        b'{"method": "eth_signTransaction", "params": [3]}',
        b'{"method": "eth_signTypedData", "params": [3, 4]}',
    ],
)
def test_rubbish_is_answered_with_an_error(url: str, body: bytes) -> None:
    response = post(url, body)
    assert response.status_code == 200
    assert set(response.json()["error"]) == {"code", "message"}


def test_typed_data_that_is_none(url: str) -> None:
    domain = {"chainId": 5, "verifyingContract": HERE}
    for broken in ({}, {"types": {"A": 3}, "primaryType": "A"}, {"types": {}, "primaryType": "B"}):
        text = json.dumps({"domain": domain, "message": {}, **broken})
        request = {"id": 1, "method": "eth_signTypedData", "params": [OWN, text]}
        assert "error" in post(url, json.dumps(request).encode()).json()


def test_too_much_is_not_read(url: str) -> None:
    assert post(url, b" " * (600 * 1024)).status_code == 413


def test_only_its_user_can_connect_to_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    with running(tmp_path, f"unix:{path}"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with pytest.raises(FairshareError), listener(f"unix:{path}"):
            pass
    assert not path.exists()


@pytest.mark.parametrize(
    "place", ["0.0.0.0:0", "192.0.2.1:9000", "example.com:80", "127.0.0.1", "", "127.0.0.1:x"]
)
def test_places_where_it_does_not_listen(place: str) -> None:
    with pytest.raises(FairshareError) as caught, listener(place):
        pass
    assert caught.value.reason is Reason.BAD_INPUT
