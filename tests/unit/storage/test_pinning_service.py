"""The client of the IPFS Pinning Service API against a server that speaks it, and against one that lies."""

import logging

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of
from marketplace.storage.pinning_service import PinningService, Status
from tests.support.pinning_server import pinning_server

TOKEN = "a-secret-token"
CID = cid_of(b"what is kept")
ORIGIN = "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGzBfqyvNKAJFAMH6hyxRnSdVtzsEDXsTLfnxcdBQHHXb"


@pytest.fixture
def server():
    with pinning_server(TOKEN) as started:
        yield started


@pytest.fixture
def service(server):
    opened = PinningService(server.url, TOKEN)
    yield opened
    opened.close()


def failure(call, *arguments):
    with pytest.raises(FairshareError) as refusal:
        call(*arguments)
    assert TOKEN not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    return refusal.value.reason


def test_a_pin_from_its_request_to_its_end(server, service):
    assert service.find(CID) is None
    pin = service.add(CID, "n" * 300, [ORIGIN] * 30)
    (held,) = server.pins.values()
    assert held["pin"] == {"cid": CID, "name": "n" * 255, "origins": [ORIGIN]}
    assert pin.status is Status.QUEUED
    for status in Status:
        held["status"] = str(status)
        assert service.look(CID, pin.requestid).status is status
        assert service.find(CID).requestid == pin.requestid
    service.remove(pin.requestid)
    assert server.pins == {}
    service.remove(pin.requestid)
    assert service.look(CID, pin.requestid) is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, Reason.BAD_INPUT),
        (401, Reason.REFUSED),
        (403, Reason.REFUSED),
        (409, Reason.NO_FUNDS),
        (302, Reason.UNAVAILABLE),
        (429, Reason.UNAVAILABLE),
        (500, Reason.UNAVAILABLE),
        (503, Reason.UNAVAILABLE),
    ],
)
def test_each_refusal_has_its_reason(server, service, status, reason):
    server.faults = [status]
    assert failure(service.add, CID, "name", []) is reason


def test_a_token_that_is_not_the_server_s_is_refused(server):
    assert failure(PinningService(server.url, "another").find, CID) is Reason.REFUSED


@pytest.mark.parametrize(
    "change",
    [
        {"requestid": ""},
        {"requestid": "x" * 513},
        {"status": "done"},
        {"pin": {"cid": cid_of(b"another")}},
        {"pin": {}},
        {"delegates": ["x"] * 21},
        {"delegates": ["x" * 513]},
        {"info": "x" * 300_000},
    ],
)
def test_an_answer_that_the_standard_does_not_know_is_refused(server, service, change):
    server.altered = lambda answer: {**answer, **change}
    assert failure(service.add, CID, "name", []) is Reason.INTEGRITY


@pytest.mark.parametrize("answer", [None, [], "text", 5])
def test_an_answer_of_another_kind_is_refused(server, service, answer):
    server.altered = lambda _: answer
    assert failure(service.add, CID, "name", []) is Reason.INTEGRITY


def test_a_service_that_is_gone_is_unavailable(server, service):
    server.shutdown()
    server.server_close()
    assert failure(service.find, CID) is Reason.UNAVAILABLE


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user:word@example.com",
        "https://example.com/?key=1",
        "https://example.com/a b",
        "http://127.0.0.1.example.com",
        "http://[::1",
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(url):
    assert failure(PinningService, url, TOKEN) is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "url", ["https://example.com/psa/", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"]
)
def test_https_and_this_machine_will_do(url):
    PinningService(url, TOKEN).close()


@pytest.mark.parametrize("token", ["", "two words", "line\nend", "ü"])
def test_a_token_that_is_none_is_refused(token):
    assert failure(PinningService, "https://example.com", token) is Reason.BAD_INPUT


def test_the_token_is_in_no_log(service, caplog):
    caplog.set_level(logging.DEBUG)
    service.add(CID, "name", [])
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(service)
