"""The storekeeper over a real chain, real storage nodes and a pinning service: what it fetches and lets go of."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.logging import logger
from marketplace.node.remote_pins import RemotePins
from marketplace.node.storekeeper import DAY_S, Retention, Storekeeper
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import Housekeeping, KeepingStore
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.pinning_service import PinningService
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.store import ContentStore
from tests.support.deployed import deployed_market
from tests.support.pinning_server import pinning_server
from tests.support.stepped_market import OWNER, Ground

TOKEN = "token"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    with deployed_market(folder, accounts=4) as (url, deployed):
        yield Ground(url, deployed, folder)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    with EmbeddedNode(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentStore]:
    with EmbeddedNode(tmp_path_factory.mktemp("elsewhere")) as started:
        yield ContentStore(started.api)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PinLedger]:
    with PinLedger(tmp_path / "pins.sqlite", "alice") as opened:
        yield opened


class Time:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def keeper(
    ground: Ground,
    store: KeepingStore,
    clock: Time,
    *,
    days: int = 30,
    of_owner: bool = False,
    remote: RemotePins | None = None,
) -> Storekeeper:
    assert store.ledger is not None
    client = ground.deployment.client(ground.url).connect()
    retention = Retention(days * DAY_S, of_owner)
    return Storekeeper(store, store.ledger, client, retention, logger(), remote=remote, now=clock)


def cancel(ground: Ground, project: int) -> None:
    with ground.session(OWNER) as session:
        session.sender.send(f"cancel:{project}", session.client.market.functions.cancel(project))
        assert session.client.project(project).status is Status.CANCELLED


def test_a_project_s_blobs_go_some_days_after_its_end_and_no_sooner(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger
) -> None:
    project, clock = ground.post(), Time()
    store = KeepingStore(node.api, Housekeeping(ledger))
    keeping = keeper(ground, store, clock, days=2)
    update = store.add(os.urandom(3000), Why(project, 1, Purpose.UPDATE))
    preview = store.add(os.urandom(3000), Why(project, 1, Purpose.PREVIEW))
    keeping.step()
    assert {update, preview} <= store.pins()
    cancel(ground, project)
    keeping.step()
    assert store.pins() & {update, preview} == {update}
    clock.now += 2 * DAY_S - 60
    keeping.step()
    assert update in store.pins()
    clock.now += 120
    keeping.step()
    assert update not in store.pins()
    assert ledger.kept() == ()
    with pytest.raises(FairshareError):  # and it is gone from the disk
        store.fetch(update, max_bytes=3000, timeout_s=0.2)


def test_the_owner_s_spec_stays_and_is_not_asked_about_again(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger
) -> None:
    project, clock = ground.post(), Time()
    store = KeepingStore(node.api, Housekeeping(ledger))
    spec = store.add(os.urandom(500), Why(project, 0, Purpose.SPEC))
    cancel(ground, project)
    keeping = keeper(ground, store, clock, days=0, of_owner=True)
    keeping.step()
    clock.now += 1000 * DAY_S
    keeping.step()
    assert spec in store.pins()


def test_what_one_project_lets_go_of_another_keeps(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger
) -> None:
    over, running = ground.post(), ground.post()
    store = KeepingStore(node.api, Housekeeping(ledger))
    data = os.urandom(500)
    for project in (over, running):
        shared = store.add(data, Why(project, 0, Purpose.SPEC))
    cancel(ground, over)
    keeper(ground, store, Time(), days=0).step()
    assert shared in store.pins()
    assert [kept.why.project for kept in ledger.kept()] == [running]


def test_wanted_blobs_come_in_the_background_when_somebody_serves_them(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger, elsewhere: ContentStore
) -> None:
    store = KeepingStore(node.api, Housekeeping(ledger, providers=tuple(elsewhere.addresses())))
    data = os.urandom(600_000)
    cid = elsewhere.add(data)
    keeping = keeper(ground, store, Time())
    with keeping.at_work():
        store.keep(cid, len(data), Why(ground.post(), 1, Purpose.MODEL))
        deadline = time.monotonic() + 20
        while not ledger.is_here(cid) and time.monotonic() < deadline:
            time.sleep(0.02)
    keeping.tidy()
    assert cid in store.pins()
    assert not [thread for thread in threading.enumerate() if thread.name == "storekeeper"]


def test_a_pin_that_is_gone_is_fetched_again(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger, elsewhere: ContentStore
) -> None:
    store = KeepingStore(node.api, Housekeeping(ledger, providers=tuple(elsewhere.addresses())))
    data = os.urandom(1000)
    elsewhere.add(data)
    cid = store.add(data, Why(ground.post(), 1, Purpose.MODEL))
    store.unpin(cid)
    store.collect_garbage()
    keeper(ground, store, Time()).step()
    assert cid in store.pins()
    assert ledger.is_here(cid)


@pytest.mark.deep
def test_a_storage_node_that_is_down_for_a_while_ends_nothing(
    ground: Ground, tmp_path: Path, ledger: PinLedger
) -> None:
    clock = Time()
    with EmbeddedNode(tmp_path / "node") as node:
        project = ground.post()
        store = KeepingStore(node.api, Housekeeping(ledger))
        cid = store.add(b"kept", Why(project, 1, Purpose.UPDATE))
        keeping = keeper(ground, store, clock, days=0)
        cancel(ground, project)
        keeping.end()
        node.stop()
        with pytest.raises(FairshareError) as down:
            keeping.release()
        assert down.value.reason is Reason.STORAGE_UNREACHABLE
        assert ledger.knows(cid)
        node.start()
        keeping.step()
        assert not ledger.knows(cid)
        assert cid not in store.pins()


def test_a_second_copy_is_made_looked_after_and_given_up(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger, elsewhere: ContentStore
) -> None:
    project, clock, ticks = ground.post(), Time(), Time()
    store = KeepingStore(node.api, Housekeeping(ledger))
    data = os.urandom(400_000)
    with pinning_server(TOKEN, elsewhere) as server:
        service = PinningService(server.url, TOKEN)
        remote = RemotePins(service, store, ledger, logger(), now=ticks)
        keeping = keeper(ground, store, clock, days=0, remote=remote)
        cid = store.add(data, Why(project, 1, Purpose.UPDATE))
        server.faults = [503]
        keeping.step()  # it is away
        assert server.pins == {}
        ticks.now += 10
        keeping.step()
        assert [pin["pin"]["cid"] for pin in server.pins.values()] == [cid]
        asked = len(server.asked)
        keeping.step()
        assert len(server.asked) == asked  # not before the pause is over
        server.work()
        ticks.now += 3600
        keeping.step()
        assert elsewhere.fetch(cid, max_bytes=len(data), timeout_s=5) == data
        asked = len(server.asked)
        ticks.now += 3600
        keeping.step()
        assert len(server.asked) == asked  # once a day is often enough for one that stands
        server.pins.clear()  # the service lost it
        ticks.now += DAY_S
        keeping.step()
        ticks.now += 3600
        keeping.step()
        assert len(server.pins) == 1
        cancel(ground, project)
        keeping.step()
        keeping.step()
        assert (server.pins, ledger.requests()) == ({}, ())
        service.close()


def test_a_request_that_a_kill_hid_from_the_ledger_is_found_again(
    ground: Ground, node: EmbeddedNode, ledger: PinLedger
) -> None:
    store = KeepingStore(node.api, Housekeeping(ledger))
    with pinning_server(TOKEN) as server:
        service = PinningService(server.url, TOKEN)
        cid = store.add(os.urandom(50), Why(ground.post(), 1, Purpose.UPDATE))
        earlier = service.add(cid, "before the kill", [])
        RemotePins(service, store, ledger, logger()).step()
        assert ledger.requests() == ((cid, earlier.requestid),)
        assert len(server.pins) == 1
        service.close()


@pytest.mark.parametrize("kept", ["journal", "ledger"])
def test_a_full_disk_stops_no_journal_for_good(tmp_path: Path, kept: str) -> None:
    """SQLite's own limit of pages gives the error that a full disk gives."""
    database: sqlite3.Connection
    if kept == "journal":
        journal = Journal(tmp_path / "journal.sqlite")
        database, write = journal._database, lambda: journal.put_blob(1, 1, "large", bytes(500_000))
    else:
        ledger = PinLedger(tmp_path / "pins.sqlite", "x" * 500_000)
        database = ledger._database
        write = lambda: ledger.want("cid", 1, Why(1, 1, Purpose.MODEL), bring=False)  # noqa: E731
    (most,) = database.execute("PRAGMA max_page_count").fetchone()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(FairshareError) as refused:
        write()
    assert refused.value.reason is Reason.STORAGE_FULL
    database.execute(f"PRAGMA max_page_count = {most}")
    write()
    assert not database.in_transaction
