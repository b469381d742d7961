"""The audit of a project whose models are sealed: what an outsider can check, and what takes a member's key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from marketplace.audit import audit
from marketplace.audit.report import AuditReport
from marketplace.audit.sealed import NO_KEY
from marketplace.chain.types import ChallengeKind
from marketplace.devnet.anvil import public_account
from marketplace.node.members import recipients_of_round
from marketplace.storage.cid import digest_of
from marketplace.updates.codec import pack_model
from marketplace.updates.sealed_model import ModelContext, new_seal, seal_model
from marketplace.updates.sealing import EncryptionKey
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support.market_run import Play, Stage

OWNER, STRANGER = EncryptionKey.from_bytes(bytes(range(32))), EncryptionKey.from_bytes(bytes(range(1, 33)))
MODELS = ("round 1: model", "final model")  # its checks, in a project of two rounds

Lie = Callable[[Play, bytes, tuple[bytes, ...]], tuple[bytes, tuple[bytes, ...]]]


def honest(play: Play, packed: bytes, due: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    return packed, due


def another_model(play: Play, packed: bytes, due: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    return pack_model(play.model), due


def to_a_stranger(play: Play, packed: bytes, due: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    return packed, (*due, STRANGER.public)


def not_to_all(play: Play, packed: bytes, due: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    return packed, tuple(key for key in due if key != bytes([3]) * 32)  # trainer 2's


def sealed_project(stage: Stage, lie: Lie, *, challenged: bool = False) -> Play:
    """Two rounds on demand, settled; `lie`: in round 2."""
    spec = run.spec_for(
        stage,
        project={"visibility": "members"},
        sealing={"owner_key": "0x" + OWNER.public.hex()},
        settlement={"mode": "on-demand"},
        rounds={"count": 2},
    )
    play = run.post(stage, public_account(0), spec)
    run.gather(play)
    run.start(play)
    for round_ in (1, 2):
        run.submit_all(play, dict(enumerate(run.honest_updates(play, round_))))
        run.close_window(play)
        result = results.result_of(play)
        packed = stage.store.blobs[play.blobs[f"model {round_}"]]
        due = recipients_of_round(play.client, play.project, round_, OWNER.public)
        assert len(due) == run.SLOTS + 2 + 1
        packed, keys = (lie if round_ == 2 else honest)(play, packed, due)
        bound_to = ModelContext(play.client.chain_id, play.client.address, play.project, round_)
        cid = stage.store.add(seal_model(packed, new_seal(keys), bound_to))
        results.post_result(play, play.aggregators[0], result=replace(result, model=digest_of(cid)))
        if challenged:
            results.challenge(play, play.trainers[1], ChallengeKind.MODEL)
            results.answer_model(play, play.aggregators[0])
    results.settle(play)
    return play


def report_of(play: Play, cache: Path, *keys: EncryptionKey) -> AuditReport:
    return audit(play.client, play.stage.store, play.project, cache, keys=keys)  # type: ignore[arg-type]


def verdicts(report: AuditReport) -> dict[str, bool | None]:
    return {check.name: check.ok for check in report.checks}


@pytest.fixture(scope="module")
def play(stage: Stage) -> Play:
    return sealed_project(stage, honest)


def test_an_outsider_checks_everything_but_what_the_models_are(play: Play, cache: Path) -> None:
    report = report_of(play, cache)
    assert {name for name, ok in verdicts(report).items() if ok is not True} == set(MODELS)
    assert {check.detail for check in report.checks if check.ok is None} == {NO_KEY}
    assert report.exit_status == 2
    assert verdicts(report)["round 1: sealed to"] is verdicts(report)["round 2: sealed to"] is True
    assert verdicts(report)["round 2: payments"] is True


def test_with_a_members_key_everything_is_checked(play: Play, cache: Path) -> None:
    report = report_of(play, cache, STRANGER, OWNER)
    assert report.ok, report.first_failure
    assert set(MODELS) <= set(verdicts(report))


def test_a_strangers_key_is_no_members(play: Play, cache: Path) -> None:
    report = report_of(play, cache, STRANGER)
    assert {name for name, ok in verdicts(report).items() if ok is None} == set(MODELS)
    assert "not checkable with this key" in str([check.detail for check in report.checks])


@pytest.mark.deep
def test_what_an_answer_showed_needs_no_key(stage: Stage, cache: Path) -> None:
    report = report_of(sealed_project(stage, honest, challenged=True), cache)
    assert report.ok, report.first_failure


@pytest.mark.deep
@pytest.mark.parametrize(
    ("lie", "check", "message"),
    [
        (to_a_stranger, "round 2: sealed to", "1 keys of nobody"),
        (not_to_all, "round 2: sealed to", "not sealed to 1 who"),
        (another_model, "final model", "is not the one behind the commitment"),
    ],
)
def test_a_false_seal_is_found(stage: Stage, cache: Path, lie: Lie, check: str, message: str) -> None:
    report = report_of(sealed_project(stage, lie), cache, OWNER)
    assert report.first_failure is not None
    assert (report.first_failure.name, report.exit_status) == (check, 1)
    assert message in report.first_failure.detail
