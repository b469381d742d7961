"""The storage of a session: where its ledger is, who shares it, and what its settings are checked for."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.node.options import Settings
from marketplace.node.session import open_store
from marketplace.node.storekeeping import TOKEN, storekeeping
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import Housekeeping, KeepingStore
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.store import ContentStore

UPDATE = Why(1, 1, Purpose.UPDATE)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        rpc=("http://127.0.0.1:9",),
        market=None,
        storage=None,
        peers=(),
        keystore=tmp_path / "none.json",
        password_file=None,
        state_dir=tmp_path / "state",
        cache_dir=tmp_path / "cache",
        storage_max=50_000_000,
    )


def home(settings: Settings, role: str) -> Path:
    folder = settings.state_dir / "31337-ab-cd" / role
    folder.mkdir(parents=True)
    return folder


def test_an_embedded_node_has_its_ledger_beside_it_and_keeps_it(settings: Settings) -> None:
    folder = home(settings, "trainer-1")
    with open_store(settings, folder, keeps=True) as store:
        assert store.cap == settings.storage_max
        cid = store.add(b"kept", UPDATE)
    with open_store(settings, folder, keeps=True) as store:
        assert store.ledger is not None
        assert store.ledger.is_here(cid)
        assert cid in store.pins()
    assert (folder / "pins.sqlite").stat().st_mode & 0o777 == 0o600
    with open_store(settings, folder) as store:
        assert store.ledger is None


def test_nodes_on_one_daemon_share_a_ledger(settings: Settings, tmp_path: Path) -> None:
    with EmbeddedNode(tmp_path / "daemon") as node:
        shared = dataclasses.replace(settings, storage=node.api)
        with (
            open_store(shared, home(settings, "trainer-1"), keeps=True) as one,
            open_store(shared, home(settings, "trainer-2"), keeps=True) as two,
        ):
            assert one.ledger is not None
            assert two.ledger is not None
            for store in (one, two):
                cid = store.add(b"both need it", UPDATE)
            assert {kept.holder for kept in two.ledger.kept()} == {
                "31337-ab-cd/trainer-1",
                "31337-ab-cd/trainer-2",
            }
            for ledger, pinned in ((one.ledger, True), (two.ledger, False)):
                ledger.end(cid, UPDATE, 1)
                ledger.drop(1)
                ledger.release(one.unpin)
                assert (cid in ContentStore(node.api).pins()) is pinned


@contextmanager
def keeping(settings: Settings, folder: Path) -> Iterator[None]:
    """As a daemon has it; the ledger is empty, so neither chain nor storage is asked."""
    with PinLedger(folder / "pins.sqlite", "x") as ledger:
        store = KeepingStore("/ip4/127.0.0.1/tcp/9/http", Housekeeping(ledger))
        session: Any = SimpleNamespace(store=store, client=None, stop=threading.Event())
        with storekeeping(session, settings):
            yield


@pytest.mark.parametrize(
    ("url", "token"),
    [("http://pins.example.com", "token"), ("https://pins.example.com", ""), ("nonsense", "t")],
)
def test_a_pinning_service_that_cannot_be_used_is_refused_at_the_start(
    settings: Settings, tmp_path: Path, url: str, token: str
) -> None:
    file = tmp_path / "token"
    file.write_text(token + "\n")
    asked = dataclasses.replace(settings, pinning_service=url, pinning_token_file=file)
    with pytest.raises(FairshareError) as refused, keeping(asked, tmp_path):
        pass
    assert refused.value.reason is Reason.BAD_INPUT


def test_the_token_is_in_a_file_or_in_the_environment(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = dataclasses.replace(settings, pinning_service="https://pins.example.com")
    monkeypatch.setenv(TOKEN, "from the environment")
    with pytest.raises(FairshareError, match="plain characters"), keeping(asked, tmp_path):
        pass
    monkeypatch.setenv(TOKEN, "token")
    with keeping(asked, tmp_path):
        assert any(thread.name == "storekeeper" for thread in threading.enumerate())
    missing = dataclasses.replace(asked, pinning_token_file=tmp_path / "none")
    with pytest.raises(FairshareError, match="token file") as refused, keeping(missing, tmp_path):
        pass
    assert refused.value.reason is Reason.BAD_INPUT
