"""`audit --rebuild-circuit`: everything anew in an empty folder, and what differs is named with both hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from marketplace.audit.rebuild import Rebuild, audit_rebuilt
from marketplace.audit.report import AuditReport, Check
from marketplace.chain.client import MarketClient
from marketplace.devnet.anvil import public_account
from tests.support import market_run as run
from tests.support.local_store import LocalStore
from tests.support.lying_endpoint import altered_code, lying_endpoint
from tests.support.market_run import Play, Stage
from zk import keys
from zk.shape import CircuitShape

NAMES = [f"circuit made anew: {name}" for name in ("srs", "keys", "verifier", "digest")]


@pytest.fixture(scope="module")
def play(stage: Stage) -> Play:
    """A project that waits for members."""
    return run.post(stage, public_account(0))


def rebuilt(
    play: Play, empty: Path, *, client: MarketClient | None = None, store: LocalStore | None = None
) -> AuditReport:
    made = Rebuild(client or play.client, store or play.stage.store, play.terms, empty)
    return AuditReport(tuple(made.checks()))


def first(report: AuditReport) -> Check:
    assert report.first_failure is not None
    return report.first_failure


def test_everything_is_compared_and_said(play: Play) -> None:
    steps: list[str] = []
    report = audit_rebuilt(play.client, play.stage.store, play.project, on_progress=steps.append)
    assert report.exit_status == 0, report.first_failure
    said = {check.name: check.detail for check in report.checks}
    assert list(said)[:4] == NAMES
    vk = hashlib.sha256(play.stage.files.vk.read_bytes()).hexdigest()
    assert f"the verifying key made anew is the spec's, sha256 {vk}" in said[NAMES[1]]
    assert "keccak256 0x" in said[NAMES[2]]
    assert said[NAMES[3]].endswith("0x" + play.terms.circuit.hex())
    assert said["circuit"].startswith("keys, verifier")  # the rest of the audit
    assert {"srs" if step.endswith("srs") else step for step in steps} >= {
        "srs",
        "circuit",
        "keys",
        "inspect",
    }


@pytest.mark.deep
def test_another_verifier_on_chain_fails(play: Play, tmp_path: Path) -> None:
    verifier = play.client.circuit(play.terms.circuit).verifier
    with lying_endpoint(play.stage.url, altered_code(verifier, 100)) as url:
        report = rebuilt(play, tmp_path, client=MarketClient(url, play.client.address, retry_for_s=0.5))
    assert first(report).name == NAMES[2]
    assert "on chain it is 0x" in first(report).detail
    assert report.exit_status == 1


@pytest.mark.deep
def test_a_foreign_verifying_key_fails(stage: Stage, tmp_path: Path) -> None:
    shape = stage.files.shape
    other = keys.build(CircuitShape(shape.slots, shape.length - 1), stage.cache).vk.read_bytes()
    foreign = {"vk": stage.store.add(other)}
    play = run.post(stage, public_account(0), run.spec_for(stage, circuit=foreign))
    report = rebuilt(play, tmp_path)
    assert [check.ok for check in report.checks] == [True, False, True, True]
    assert hashlib.sha256(other).hexdigest() in first(report).detail


def test_what_cannot_be_had_is_no_failure(play: Play, tmp_path: Path) -> None:
    report = rebuilt(play, tmp_path, store=play.stage.store.without(play.spec.circuit.srs))
    assert [check.ok for check in report.checks] == [None] * 4
    assert report.exit_status == 2


def test_an_unsound_srs_fails(stage: Stage, tmp_path: Path) -> None:
    data = bytearray(stage.files.srs.read_bytes())
    data[4 + 64 * 5 : 4 + 64 * 6] = data[4 + 64 * 6 : 4 + 64 * 7]  # a power stands twice
    false = {"srs": stage.store.add(bytes(data))}
    play = run.post(stage, public_account(0), run.spec_for(stage, circuit=false))
    report = rebuilt(play, tmp_path)
    assert [check.ok for check in report.checks] == [True, False, None, None]
    assert "not the powers" in first(report).detail
