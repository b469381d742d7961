"""A trainer at work, scraped over HTTP: metrics are the chain's figures, health follows the loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from web3 import Web3

from marketplace.chain import token as tokens
from marketplace.chain.types import NATIVE_COIN, Block, address
from marketplace.devnet.anvil import public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.lifecycle import keep_going
from marketplace.node.listening import serving
from marketplace.node.telemetry.exporter import Identity
from marketplace.node.telemetry.health import Patience
from marketplace.node.telemetry.pages import create_app
from marketplace.node.telemetry.probe import Probe
from marketplace.node.telemetry.record import Record
from tests.support.stepped_market import FIRST_TRAINER, Ground, Play, PollingClock, play

STALL_S = 0.5
WAIT_S = 30.0
ACCOUNT = address(public_account(FIRST_TRAINER).address)


class Endpoint(PollingClock):
    """The daemon's clock, whose endpoint can fall silent: a request then waits for its answer."""

    def __init__(self, answers: threading.Event, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._answers = answers

    def latest(self) -> Block:
        assert self._answers.wait(WAIT_S)
        return super().latest()


@dataclass
class Watched:
    """A daemon in a thread, and its pages."""

    game: Play
    url: str
    answers: threading.Event  # of the endpoint
    probe: Probe

    def get(self, page: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{page}", timeout=10, trust_env=False)

    def metrics(self) -> dict[tuple[str, ...], float]:
        """By name and label values, in the order of the labels' names."""
        families = text_string_to_metric_families(self.get("metrics").text)
        return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@contextmanager
def watched(game: Play) -> Iterator[Watched]:
    """Trainer 0's daemon goes by itself; the others are stepped by the test."""
    daemon = game.trainers.pop(0)
    record, stop = Record(), threading.Event()
    client, log = daemon.context.client, logging.logger(trainer=0)
    probe = Probe(
        client,
        daemon.context.store,
        daemon.journal,
        daemon.sender.address,
        "trainer",
        lambda: tuple(record.snapshot().projects),
        log,
        every_s=0.05,
    )
    identity = Identity("trainer", daemon.sender.address, client.chain_id)
    app = create_app(identity, record, probe, Patience(idle_s=STALL_S, probe_s=5))
    answers = threading.Event()
    answers.set()

    def work() -> None:
        with (
            record.loop(f"project {game.project}") as turned,
            Endpoint(answers, client, stop=stop, poll_s=0.01, on_turn=turned) as clock,
        ):
            daemon.telemetry, daemon.clock = record, clock
            keep_going(daemon.step, stop=stop, log=log)

    with probe.looking(), serving(app, "127.0.0.1", 0) as port:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield Watched(game, f"http://127.0.0.1:{port}", answers, probe)
        finally:
            answers.set()
            stop.set()
            thread.join(WAIT_S)
            assert not thread.is_alive()


def until(done: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@pytest.fixture(scope="module")
def node(ground: Ground) -> Iterator[Watched]:
    """In the first round of a project, to which it has submitted."""
    with play(ground) as game, watched(game) as node:
        until(lambda: game.state.trainer_count == 1)
        game.start()
        until(lambda: bool(game.client.cohort(game.project, 0).submitted & 1))
        yield node


def test_what_is_scraped_is_what_the_chain_says(node: Watched) -> None:
    client, state = node.game.client, node.game.state
    project, newest = str(node.game.project), client.latest_block()
    left = {name: getattr(state, f"{name}_deadline") - newest.timestamp for name in ("submit", "result")}
    until(lambda: node.metrics().get(("fairshare_deadline_seconds", "submit", project)) == left["submit"])
    until(lambda: node.metrics()["fairshare_block_number",] == newest.number)  # a look that began since
    until(lambda: node.metrics()["fairshare_transactions_pending",] == 0)
    found = node.metrics()

    assert found["fairshare_project_status", project, "active"] == 1
    assert found["fairshare_project_round", project] == 1
    assert found["fairshare_project_rounds", project] == 2
    assert found["fairshare_deadline_seconds", "result", project] == left["result"]
    assert ("fairshare_deadline_seconds", "join", project) not in found
    nonce = client.web3.eth.get_transaction_count(Web3.to_checksum_address(ACCOUNT))
    assert found["fairshare_transactions_total", "sent"] == nonce
    assert 0 <= found["fairshare_transactions_total", "failed"] < nonce
    assert found["fairshare_balance_wei",] == float(tokens.balance(client.web3, NATIVE_COIN, ACCOUNT))
    assert found["fairshare_gas_spent_wei_total",] > 0
    stake = client.terms(node.game.project).trainer_stake
    assert found["fairshare_stake_locked", project, "native"] == stake
    assert found["fairshare_earned", project, "native"] == 0
    for work in ("training", "committing"):
        assert found["fairshare_work_done_total", work] == 1
        assert found["fairshare_work_seconds_total", work] > 0
    assert found["fairshare_healthy",] == found["fairshare_ready",] == 1
    assert node.get("readyz").json()["ok"] is True


def test_health_turns_bad_while_the_loop_stalls(node: Watched) -> None:
    until(lambda: node.get("healthz").status_code == 200)
    assert node.get("healthz").json()["reasons"] == []
    node.answers.clear()
    until(lambda: node.get("healthz").status_code == 503)
    (reason,) = node.get("healthz").json()["reasons"]
    assert f"project {node.game.project}: has not turned for" in reason
    assert node.metrics()["fairshare_healthy",] == 0
    node.answers.set()
    until(lambda: node.get("healthz").status_code == 200)
    assert node.metrics()["fairshare_healthy",] == 1


def test_readiness_asks_for_storage_and_funds(node: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    until(lambda: node.get("readyz").status_code == 200)
    request = node.game.client.web3.provider.make_request
    held = tokens.balance(node.game.client.web3, NATIVE_COIN, ACCOUNT)
    request("anvil_setBalance", [ACCOUNT, hex(1000)])  # type: ignore[arg-type]
    until(lambda: node.get("readyz").status_code == 503)
    said = node.get("readyz").json()
    assert said["reasons"] == [
        f"funds: the account has 1000 wei, its next transactions may need {said['needed_wei']}: send it more"
    ]
    assert node.get("healthz").status_code == 200, "a poor node is alive"
    request("anvil_setBalance", [ACCOUNT, hex(held)])  # type: ignore[arg-type]
    until(lambda: node.get("readyz").status_code == 200)

    def gone() -> list[str]:
        raise FairshareError(Reason.STORAGE_UNREACHABLE, "the storage node is gone", "start it")

    monkeypatch.setattr(node.game.ground.store, "peers", gone)
    until(lambda: node.get("readyz").json()["reasons"] == ["storage: the storage node is gone: start it"])


def test_other_pages_and_methods_are_refused(node: Watched) -> None:
    assert node.get("openapi.json").status_code == 404
    assert httpx.post(f"{node.url}/metrics", trust_env=False).status_code == 405
