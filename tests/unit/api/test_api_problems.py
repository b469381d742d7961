"""What the API says where it cannot answer."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from marketplace.api import create_app, serve
from marketplace.api.audits import Audits
from marketplace.api.problems import STATUS
from marketplace.chain.client import MarketClient
from marketplace.devnet.anvil import Anvil
from marketplace.errors import FairshareError, Reason
from tests.support.lying_endpoint import lying_endpoint
from tests.support.told_market import Told


def test_every_reason_has_a_status() -> None:
    assert set(STATUS) == set(Reason)
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/projects/99", 404, "not-found"),
        ("/projects/99/rounds", 404, "not-found"),
        ("/projects/99/trainers", 404, "not-found"),
        ("/projects/99/payouts", 404, "not-found"),
        ("/projects/99/accounts", 404, "not-found"),
        ("/projects/99/audit", 404, "not-found"),
        ("/projects/1/rounds/4", 404, "not-found"),
        ("/projects/2/rounds/1", 404, "not-found"),
        ("/nothing", 404, "not-found"),
        ("/projects/0", 400, "bad-input"),
        ("/projects/-1", 400, "bad-input"),
        ("/projects/x", 400, "bad-input"),
        ("/projects/" + "9" * 80, 400, "bad-input"),
        ("/projects/1/rounds/65536", 400, "bad-input"),
        ("/projects?limit=0", 400, "bad-input"),
        ("/projects?limit=101", 400, "bad-input"),
        ("/projects?offset=-1", 400, "bad-input"),
        ("/projects/1/payouts?limit=1e9", 400, "bad-input"),
        ("/trainers/0x12", 400, "bad-input"),
        ("/aggregators/vitalik.eth", 400, "bad-input"),
    ],
)
def test_a_problem_has_our_code(api: TestClient, path: str, status: int, code: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "hint"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert "\n" not in body["detail"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(api: TestClient, method: str) -> None:
    answer = api.request(method, "/projects/1")
    assert answer.status_code == 405
    assert answer.json()["code"] == "bad-input"


def test_a_silent_chain(told: Told, tmp_path: Path) -> None:
    with Anvil() as gone:
        url = gone.url
    app = create_app(MarketClient(url, told.client.address, retry_for_s=0.1), None, tmp_path)
    with TestClient(app, raise_server_exceptions=False) as api:
        for path in ("/health", "/chain", "/projects", "/projects/1/rounds"):
            answer = api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "chain-unreachable")


def test_without_storage_there_is_no_audit(told: Told, tmp_path: Path) -> None:
    with TestClient(create_app(told.client, None, tmp_path), raise_server_exceptions=False) as api:
        assert api.get("/health").json()["storage"] is None
        answer = api.get("/projects/1/audit")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage-unreachable")


def test_what_an_endpoint_garbles_is_no_crash(told: Told, tmp_path: Path) -> None:
    def lie(method: str, params: list[object], result: object) -> object:
        return "0x" + "ff" * 4000 if method == "eth_call" else result

    with lying_endpoint(told.ground.url, lie) as url:
        client = MarketClient(url, told.client.address, retry_for_s=0.1)
        with TestClient(create_app(client, None, tmp_path), raise_server_exceptions=False) as api:
            for path in (
                "/chain",
                "/projects",
                "/projects/1",
                "/projects/1/rounds",
                "/trainers/0x" + "11" * 20,
            ):
                answer = api.get(path)
                assert (answer.status_code, answer.headers["content-type"]) == (
                    502,
                    "application/problem+json",
                )


def test_one_audit_at_a_time(told: Told, tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class SlowStore:
        def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
            entered.set()
            assert go_on.wait(60)
            raise FairshareError(Reason.UNAVAILABLE, "nobody serves it")

    audits = Audits(told.client, SlowStore(), tmp_path)  # type: ignore[arg-type]
    first = threading.Thread(target=audits.report, args=(told.settled,))
    first.start()
    try:
        assert entered.wait(60)
        with pytest.raises(FairshareError) as caught:
            audits.report(told.settled)
        assert caught.value.reason is Reason.REFUSED
    finally:
        go_on.set()
        first.join()
    _, report = audits.report(told.settled)
    assert report.exit_status == 2


def test_a_port_that_is_taken_is_said_in_one_line(told: Told, tmp_path: Path) -> None:
    app = create_app(told.client, None, tmp_path)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(FairshareError) as caught:
            serve(app, port=holder.getsockname()[1])
    assert caught.value.reason is Reason.BAD_INPUT
    assert "\n" not in caught.value.message
