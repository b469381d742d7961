"""Chains that are silent, nonsense, another one, or without the market; projects that nobody posted."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from marketplace.chain.client import MarketClient
from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.node import session
from marketplace.node.peers import PeerBook
from tests.e2e.bad_input.commands import (
    ALL,
    AUDIT,
    OF_A_PROJECT,
    OWN,
    POST,
    SERVE,
    TRAIN,
    Command,
    filled,
    name,
)
from tests.e2e.bad_input.endpoints import answering, closed_port
from tests.e2e.bad_input.ground import Visitor
from tests.support.lying_endpoint import lying_endpoint
from tests.support.waiting import until

UNKNOWN = 999
BOUND_S = 60
RUBBISH = {
    "html": (b"<html>hello</html>", 200),
    "nothing": (b"", 200),
    "a list": (b"[]", 200),
    "no result": (b'{"jsonrpc": "2.0", "id": 1}', 200),
    "null": (b'{"jsonrpc": "2.0", "id": 1, "result": null}', 200),
    "text": (b'{"jsonrpc": "2.0", "id": 1, "result": "hello"}', 200),
    "an object": (b'{"jsonrpc": "2.0", "id": 1, "result": {"number": []}}', 200),
    "an error": (b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}}', 200),
    "a strange error": (b'{"jsonrpc": "2.0", "id": 1, "error": "no"}', 200),
    "no such page": (b"", 404),
    "forbidden": (b"", 403),
    "bytes": (b"\xff\xfe\x00", 200),
}


@pytest.mark.parametrize("command", ALL, ids=name)
def test_a_market_that_is_not_there(visitor: Visitor, command: Command) -> None:
    if command == AUDIT:
        return
    arguments = filled(visitor, command)
    empty = "0x" + "11" * 20
    visitor.refused(*arguments, market=empty, reason=Reason.NO_CONTRACT, named=[empty])


@pytest.mark.parametrize("command", [TRAIN, ("project", "list"), POST], ids=name)
def test_a_contract_that_is_no_market(visitor: Visitor, command: Command) -> None:
    arguments = filled(visitor, command)
    for contract in (visitor.ground.owner.client.vault.address, visitor.ground.owner.client.judge):
        visitor.refused(*arguments, market=contract, reason=Reason.NO_CONTRACT, named=[contract])


@pytest.mark.parametrize("command", ALL, ids=name)
def test_another_chain_than_the_one_that_is_meant(visitor: Visitor, command: Command) -> None:
    arguments = filled(visitor, command)
    visitor.refused(*arguments, chain_id="1", reason=Reason.WRONG_CHAIN, named=["31337", "chain 1 "])


def test_an_endpoint_that_serves_another_chain(visitor: Visitor) -> None:
    def lie(method: str, params: list[object], result: object) -> object:
        return hex(5) if method == "eth_chainId" else result

    with lying_endpoint(visitor.ground.rpc, lie) as rpc:
        visitor.refused(
            *filled(visitor, TRAIN),
            rpc=rpc,
            chain_id="31337",
            reason=Reason.WRONG_CHAIN,
            named=["chain 5", "31337"],
        )
        # Without a chain id it is the project's spec that tells.
        visitor.refused(*filled(visitor, TRAIN), rpc=rpc, reason=Reason.BAD_SPEC, named=["chain.chain_id"])


@pytest.mark.parametrize("command", [c for c in OF_A_PROJECT if c != AUDIT], ids=name)
def test_a_project_that_nobody_posted(visitor: Visitor, command: Command) -> None:
    arguments = filled(visitor, command, UNKNOWN)
    visitor.refused(*arguments, reason=Reason.NOT_FOUND, named=[f"no project {UNKNOWN}"])


def test_an_audit_of_a_silent_chain_cannot_be_made(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    gives_up_after(0.1, monkeypatch)
    said = visitor.call(*filled(visitor, AUDIT), rpc=f"http://127.0.0.1:{closed_port()}")
    assert (said.status, said.stdout) == (2, "")
    assert "error[chain-unreachable]: " in said.stderr


def test_an_audit_of_nothing_cannot_be_made(visitor: Visitor) -> None:
    for arguments, settings, reason in (
        (filled(visitor, AUDIT, UNKNOWN), {}, Reason.NOT_FOUND),
        (filled(visitor, AUDIT), {"market": "0x" + "11" * 20}, Reason.NO_CONTRACT),
    ):
        said = visitor.call(*arguments, **settings)
        assert said.status == 2 if reason is Reason.NOT_FOUND else EXIT_STATUS[reason]
        assert f"error[{reason}]: " in said.stderr
        assert said.stdout == ""


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "one", str(2**300)])
def test_a_number_that_no_project_has(visitor: Visitor, number: str) -> None:
    for command in OF_A_PROJECT:
        arguments = filled(visitor, command, number)
        said = visitor.call(*arguments)
        assert said.status in (EXIT_STATUS[Reason.BAD_INPUT], EXIT_STATUS[Reason.NOT_FOUND], 2), said
        assert len([line for line in said.stderr.splitlines() if line.startswith("error[")]) == 1, said
        assert "internal" not in said.stderr


@pytest.mark.parametrize("kind", RUBBISH)
def test_a_chain_that_talks_rubbish(visitor: Visitor, kind: str) -> None:
    body, status = RUBBISH[kind]
    with answering(body, status) as port:
        rpc = f"http://127.0.0.1:{port}"
        for command in (TRAIN, ("project", "list"), ("wallet", "show", "--json"), POST, SERVE):
            visitor.refused(
                *filled(visitor, command),
                rpc=rpc,
                reason=Reason.CHAIN_UNREACHABLE,
                named=["chain"],
            )


def gives_up_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands wait no longer for an endpoint; `test_processes.py` has the usual wait."""
    monkeypatch.setattr(session, "MarketClient", partial(MarketClient, retry_for_s=seconds))


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a node that finds within a moment that no endpoint answers."""
    gives_up_after(0.1, monkeypatch)
    return tmp_path_factory.mktemp("log") / "node.jsonl"


def meanwhile(log: Path, act: Callable[[], None]) -> threading.Thread:
    """A thread that acts once the log says that the node waits."""

    def run() -> None:
        until(lambda: log.is_file() and "will retry" in log.read_text())
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("command", [TRAIN, SERVE, OWN], ids=name)
def test_a_node_waits_for_a_chain_that_comes_later(visitor: Visitor, command: Command, log: Path) -> None:
    port, over = closed_port(), threading.Event()

    def come() -> None:
        with lying_endpoint(visitor.ground.rpc, lambda method, params, result: result, port):
            assert over.wait(BOUND_S)

    coming = meanwhile(log, come)
    visitor.refused(
        *filled(visitor, command, UNKNOWN),
        *("--log-file", str(log)),
        rpc=f"http://127.0.0.1:{port}",
        reason=Reason.NOT_FOUND,
        named=[f"no project {UNKNOWN}"],
    )
    over.set()
    coming.join()
    waited = [json.loads(line) for line in log.read_text().splitlines()]
    assert {event["reason"] for event in waited if event["event"] == "will retry"} == {"chain-unreachable"}


@pytest.mark.parametrize("command", [TRAIN, SERVE, OWN], ids=name)
def test_a_node_that_waits_for_its_chain_can_be_stopped(
    visitor: Visitor, command: Command, log: Path
) -> None:
    stopping = meanwhile(log, lambda: signal.raise_signal(signal.SIGTERM))
    rpc = f"http://127.0.0.1:{closed_port()}"
    said = visitor.call(*filled(visitor, command), "--log-file", str(log), rpc=rpc)
    stopping.join()
    assert (said.status, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.parametrize("reason", [Reason.CHAIN_UNREACHABLE, Reason.STORAGE_UNREACHABLE])
@pytest.mark.parametrize("command", [TRAIN, SERVE], ids=name)
@pytest.mark.parametrize(
    "at", ["marketplace.node.project.fetch_spec", "marketplace.node.peers.PeerBook.connect_to_owner"]
)
def test_what_goes_away_before_the_first_block_is_waited_for(
    visitor: Visitor, command: Command, reason: Reason, at: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [FairshareError(reason, "it is gone"), FairshareError(Reason.BAD_SPEC, "enough is seen")]

    def gone_once(*arguments: Any, **options: Any) -> None:
        raise failures.pop(0)

    monkeypatch.setattr(at, gone_once)
    visitor.refused(
        *filled(visitor, command),
        *("--log-file", str(log)),
        reason=Reason.BAD_SPEC,
        named=["enough is seen"],
    )
    assert not failures
    waited = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["reason"] for event in waited if event["event"] == "will retry"] == [str(reason)]


@pytest.mark.parametrize("command", [TRAIN, SERVE], ids=name)
def test_a_node_that_waits_for_its_storage_can_be_stopped(
    visitor: Visitor, command: Command, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(book: PeerBook) -> None:
        raise FairshareError(Reason.STORAGE_UNREACHABLE, "it is gone")

    monkeypatch.setattr(PeerBook, "connect_to_owner", gone)
    stopping = meanwhile(log, lambda: signal.raise_signal(signal.SIGTERM))
    said = visitor.call(*filled(visitor, command), "--log-file", str(log))
    stopping.join()
    assert said.status == 0
    assert "Traceback" not in said.stderr


def test_a_preview_does_not_wait_for_a_chain(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    gives_up_after(0.1, monkeypatch)
    rpc = f"http://127.0.0.1:{closed_port()}"
    arguments = (*filled(visitor, TRAIN), "--dry-run")
    visitor.refused(*arguments, rpc=rpc, reason=Reason.CHAIN_UNREACHABLE, named=[rpc])


def test_a_chain_that_is_overloaded_is_asked_again(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    gives_up_after(2.0, monkeypatch)
    asked: list[str] = []
    with answering(b"", 503, asked) as port:
        rpc = f"http://127.0.0.1:{port}"
        visitor.refused("project", "list", rpc=rpc, reason=Reason.CHAIN_UNREACHABLE, named=[rpc])
    assert len(asked) > 3


def test_a_url_that_is_none(visitor: Visitor) -> None:
    for rpc in ("here", "ftp://127.0.0.1/", "http://", "/ip4/127.0.0.1/tcp/1"):
        for command in (TRAIN, ("project", "list"), ("wallet", "show")):
            visitor.refused(*filled(visitor, command), rpc=rpc, reason=Reason.BAD_INPUT, named=[rpc])


def test_a_market_that_is_no_address(visitor: Visitor) -> None:
    for market in ("0x12", "market", "0x" + "g" * 40):
        for command in (TRAIN, ("project", "list")):
            visitor.refused(*filled(visitor, command), market=market, reason=Reason.BAD_INPUT, named=[market])
    visitor.refused("project", "list", market="", reason=Reason.BAD_INPUT, named=["no market"])


def test_an_explanation_of_nobody(visitor: Visitor) -> None:
    arguments = filled(visitor, ("trainer", "explain", "{project}"))
    visitor.refused(*arguments, "--trainer", "0x12", reason=Reason.BAD_INPUT, named=["0x12"])
    visitor.refused(*arguments, "--round", "7", reason=Reason.NOT_FOUND, named=["round 7"])


def test_a_status_is_of_one_project_or_of_all(visitor: Visitor) -> None:
    for arguments in (("trainer", "status"), ("trainer", "status", "1", "--all")):
        visitor.refused(*arguments, reason=Reason.BAD_INPUT, named=["one project or of all", "--all"])


def test_where_to_show_metrics_is_a_place(visitor: Visitor) -> None:
    arguments = filled(visitor, TRAIN)
    for place in ("here", "127.0.0.1:0", "70000"):
        visitor.refused(*arguments, "--metrics", place, reason=Reason.BAD_INPUT, named=[place])


def test_a_silent_chain_is_a_finding_of_the_doctor(visitor: Visitor) -> None:
    rpc = f"http://127.0.0.1:{closed_port()}"
    began = time.monotonic()
    said = visitor.call("doctor", "--json", rpc=rpc, market="")
    assert time.monotonic() - began < BOUND_S
    assert said.status == 1
    checks = {check["name"]: check for check in json.loads(said.stdout)["checks"]}
    assert checks["chain"]["state"] == "problem"
    assert rpc in checks["chain"]["detail"]
    assert checks["market"]["state"] == "problem"
    assert "no market" in checks["market"]["detail"]
    assert "Traceback" not in said.stderr
