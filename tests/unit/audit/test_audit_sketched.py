"""The audit of projects on the sketch path: true ones hold, and what is false in them is found and named."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.audit import audit
from marketplace.audit.history import History, read_history
from marketplace.audit.ledger import Ledger, read_ledger
from marketplace.audit.money import check_stakes
from marketplace.audit.replay import replay
from marketplace.audit.rounds import Outcome, Theme
from marketplace.chain import events as e
from marketplace.chain.sketch_types import SUM_SLOT
from marketplace.chain.types import SketchResult, Status
from marketplace.devnet.anvil import public_account
from marketplace.protocol.chunk_tree import Leaf
from tests.support import market_results as results
from tests.support import sketched_run as sketched
from tests.support import sketched_tales as tales
from tests.support.altered_history import NOT_REPLAYED, holds, is_opened, other
from tests.support.forged_history import checks_of_round, undone_after
from tests.support.market_run import Play, Stage, Update
from tests.support.sketched_run import Lie
from zk.curve import Point, add

# What the opening of a commitment tells, or a view of the contract.
_NOT_REPLAYED = NOT_REPLAYED | {"values", "value", "chunks"}
_LENIENT = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))


def test_a_questioned_project_holds(questioned: Play, questioned_history: History, cache: Path) -> None:
    report = audit(questioned.client, questioned.stage.store, questioned.project, cache)
    assert report.ok, report.first_failure
    names = [check.name for check in report.checks]
    assert len(set(names)) == len(names)
    said = {check.name: check.detail for check in report.checks}
    assert said["round 1: proof"].startswith("answered")
    assert said["round 1: answer 0"].startswith("the sum of the merged sketches opens")
    assert said["round 1: answer 1"].startswith("chunk 2 of the new model was shown")
    assert said["round 1: answer 2"].startswith("slot 3's sketch opens")
    assert "1 left out without blame" in said["round 2: payments"]
    assert said["round 3: answer"].startswith("the answer was refuted: its value of chunk 0")
    assert said["round 5: leaves"].startswith("each of 3 chunks moved")
    assert "all its chunks committed to anew" in said["final model"]
    assert "round 3: model" not in said, "of a round that was undone"
    replayed = replay(questioned_history)
    outcomes = [round_.outcome for round_ in replayed.rounds]
    assert outcomes[2:] == [Outcome.UNDONE, Outcome.VOID, Outcome.SETTLED, Outcome.SKIPPED]
    assert replayed.rounds[1].cohorts[0].left_out == 1 << tales.LEFT_OUT
    assert replayed.state.status is Status.SETTLED


def test_a_referenced_project_holds(referenced: Play, cache: Path) -> None:
    report = audit(referenced.client, referenced.stage.store, referenced.project, cache)
    assert report.ok, report.first_failure
    first, second = (round_.cohorts[0] for round_ in _replayed(referenced).rounds)
    assert first.posted is not None
    assert second.posted is not None
    assert (first.posted.struck, first.strikes) == (1 << 3, []), "no stake goes for what is not proved"
    assert (first.posted.fee, second.posted.fee) == (10**15, 0)
    assert first.settlement is not None
    assert second.settlement is not None
    assert first.settlement.judgement.by_reference
    assert not second.settlement.judgement.by_reference


def test_the_sum_is_over_all_cohorts_and_silence_undoes_them(sketched_stage: Stage, cache: Path) -> None:
    play = tales.split_project(sketched_stage)
    history = read_history(play.client, play.project)
    assert replay(history).violations == ()
    found = tuple(checks_of_round(play, history))
    assert all(check.ok for check in found)
    said = {check.name: check.detail for check in found}
    assert said["round 1: sum of sketches"].startswith("10 merged sketches")
    results.undo(play, public_account(tales.DOUBTER))
    halted = audit(play.client, play.stage.store, play.project, cache)
    assert halted.ok, halted.first_failure
    assert halted.checks[-1].detail == "no result stands: it is the initial model"


@pytest.mark.parametrize("name", ["questioned", "referenced"])
def test_any_block_can_be_audited_up_to(name: str, request: pytest.FixtureRequest) -> None:
    played: Play = request.getfixturevalue(name)
    whole: History = request.getfixturevalue(f"{name}_history")
    for block in sorted({event.block_number for event in whole.events})[1::15]:
        at = read_history(played.client, played.project, block=block)
        found = replay(at)
        assert found.violations == ()
        assert found.state == at.state
        assert found.challenge == played.client.challenge(played.project, block=block)
        held = played.client.standing_answer(played.project, block=block)
        assert found.standing_answer == (held or bytes(32))


@_LENIENT
@given(data=st.data())
@pytest.mark.parametrize("name", ["questioned", "referenced"])
def test_any_field_of_any_event_counts(
    name: str, request: pytest.FixtureRequest, data: st.DataObject
) -> None:
    history: History = request.getfixturevalue(f"{name}_history")
    place = data.draw(st.integers(0, len(history.events) - 1))
    event = history.events[place]
    names = [field.name for field in dataclasses.fields(event) if field.name not in _NOT_REPLAYED]
    if not names or (hasattr(event, "digest") and not is_opened(history, event)):
        return
    field = data.draw(st.sampled_from(names))
    changed = replace(event, **{field: other(getattr(event, field), data)})
    assert not holds(_with(history, place, changed)), (event, changed)


@pytest.mark.parametrize("name", ["questioned", "referenced"])
def test_every_event_is_needed_once(name: str, request: pytest.FixtureRequest) -> None:
    history: History = request.getfixturevalue(f"{name}_history")
    chosen = random.Random(5)
    for kind in dict.fromkeys(type(event) for event in history.events):
        event: Any = chosen.choice(history.of(kind))
        place = history.events.index(event)
        sent = isinstance(event, e.UpdateSubmitted | e.ReferenceSubmitted)
        if not isinstance(event, e.Claimed) and (not sent or is_opened(history, event)):
            assert not holds(_with(history, place)), event
        assert not holds(_with(history, place, event, event)), event


@_LENIENT
@given(
    sketch=st.builds(
        SketchResult,
        roots=st.lists(st.binary(min_size=32, max_size=32), max_size=8).map(tuple),
        root=st.binary(min_size=32, max_size=32),
        seed=st.binary(min_size=32, max_size=32),
        left_out=st.integers(0, 2**16 - 1),
    ),
    which=st.integers(0, 2),
)
def test_no_result_crashes_the_replay(questioned_history: History, sketch: SketchResult, which: int) -> None:
    place = list(questioned_history.sketch.results)[which]
    changed = {**questioned_history.sketch.results, place: sketch}
    said = replace(questioned_history.sketch, results=changed)
    assert not holds(replace(questioned_history, sketch=said))


def test_calls_that_cannot_be_told_are_no_violation(questioned: Play, questioned_history: History) -> None:
    said = questioned_history.sketch
    unread = {
        name: dict.fromkeys(getattr(said, name), "not there")
        for name in ("updates", "chunks", "openings", "evidence")
    }
    history = replace(questioned_history, sketch=replace(said, **unread))
    assert replay(history).violations == ()
    for number, name in ((1, "answer 0"), (1, "answer 1"), (2, "answers"), (3, "answer")):
        found = {check.name: check for check in checks_of_round(questioned, history, number=number)}
        check = found[f"round {number}: {name}"]
        assert (check.ok, check.detail) == (None, "not there")


def _otherwise(**changes: Any) -> Callable[[Any], Any]:
    """The same with other values."""
    return lambda stated: replace(stated, **changes)


@pytest.mark.parametrize(
    ("kind", "number", "changes", "theme", "words"),
    [
        (e.SketchDrawn, 1, {"seed": bytes(32)}, Theme.SEED, "the seed is not that of block"),
        (e.ResultPosted, 2, {"fee": 10**15}, Theme.PAYMENTS, "the fee is 1000000000000000, not 0"),
        (e.ResultPosted, 1, {"x": 5}, Theme.MODEL, "root is not the one that its transaction said"),
        (
            e.SketchResultPosted,
            1,
            {"statement": _otherwise(root=bytes(32))},
            Theme.COMMITMENTS,
            "statement is not that",
        ),
        (
            e.SketchResultPosted,
            1,
            {"statement": _otherwise(sum=Point(5, 5))},
            Theme.COMMITMENTS,
            "the sum is not the merged sketches'",
        ),
        (e.SketchResultPosted, 2, {"left_out": 0}, Theme.ARRIVALS, "whom it left out"),
        (e.UpdateChunkAnswered, 2, {"chunk": 1}, Theme.COMPLAINTS, "but the complaint names chunk"),
        (e.UpdateChunkAnswered, 2, {"x": 1, "y": 2}, Theme.COMPLAINTS, "not under the root"),
        (e.ChunkShown, 1, {"x": 1, "y": 2}, Theme.DISPUTES, "its point is not the old one moved"),
        (e.SketchAnswered, 1, {"deadline": 7}, Theme.DISPUTES, "its deadline is not that of the terms"),
        (e.SketchRefuted, 3, {"given": 7}, Theme.DISPUTES, "the answer's value of chunk 0 was"),
    ],
)
def test_what_an_event_says_falsely_is_named(
    questioned_history: History,
    kind: type[e.Event],
    number: int,
    changes: dict[str, Any],
    theme: Theme,
    words: str,
) -> None:
    events: list[Any] = questioned_history.of(kind)
    event = next(event for event in events if event.round == number)
    values = {name: to(getattr(event, name)) if callable(to) else to for name, to in changes.items()}
    changed = _with(questioned_history, questioned_history.events.index(event), replace(event, **values))
    found = [violation for violation in replay(changed).violations if violation.theme is theme]
    assert found, replay(changed).violations
    assert words in found[0].message
    assert found[0].round == number


def _other_root(sketch: SketchResult) -> SketchResult:
    return replace(sketch, roots=(sketch.roots[1], *sketch.roots[1:]))


def _other_left_out(sketch: SketchResult) -> SketchResult:
    return replace(sketch, left_out=1)


@pytest.mark.parametrize(
    ("change", "theme", "words"),
    [
        (_other_root, Theme.COMMITMENTS, "slot 0 is opened to another commitment"),
        (_other_left_out, Theme.ARRIVALS, "0x1 are left out, but only complaints about 0x0 were answered"),
        (lambda sketch: replace(sketch, root=bytes(32)), Theme.MODEL, "is not the one that its transaction"),
        (lambda sketch: replace(sketch, seed=bytes(32)), Theme.SEED, "not drawn by the round's seed"),
        (lambda sketch: replace(sketch, roots=()), Theme.COMMITMENTS, "0 roots are named for 6 inputs"),
    ],
)
def test_what_a_result_says_falsely_is_named(
    questioned_history: History, change: Callable[[SketchResult], SketchResult], theme: Theme, words: str
) -> None:
    said = questioned_history.sketch
    place = next(place for place in said.results if place[1] == 1)
    true = said.results[place]
    assert isinstance(true, SketchResult)
    changed = {**said.results, place: change(true)}
    history = replace(questioned_history, sketch=replace(said, results=changed))
    assert any(found.theme is theme and words in found.message for found in replay(history).violations)


def test_what_an_answer_shows_falsely_is_named(questioned: Play, questioned_history: History) -> None:
    said = questioned_history.sketch
    (transaction, shown), (asked, opening) = (
        next(iter(said.chunks.items())),
        next(iter(said.openings.items())),
    )
    (refuting, evidence), (slot, given) = next(iter(said.evidence.items())), next(iter(said.updates.items()))
    assert not isinstance(shown, str)
    assert not isinstance(opening, str)
    assert not isinstance(evidence, str)
    assert not isinstance(given, str)
    other_leaf = replace(shown.before, hash=bytes(32))
    for changes, words in (
        ({"chunks": {transaction: replace(shown, before=other_leaf)}}, "the old model's chunk is not under"),
        ({"chunks": {transaction: replace(shown, merged=shown.merged[::-1])}}, "a merged update's chunk is"),
        ({"chunks": {transaction: replace(shown, path=shown.path[::-1])}}, "not under the new root"),
        ({"evidence": {refuting: replace(evidence, leaf=evidence.before)}}, "that refutes it is not under"),
        (
            {"updates": {**said.updates, slot: replace(given, path=())}},
            "not under the root that was submitted",
        ),
    ):
        altered = replace(questioned_history, sketch=replace(said, **changes))
        assert any(words in found.message for found in replay(altered).violations), words
    openings = {**said.openings, asked: add(opening, Point(1, 2))}
    altered = replace(questioned_history, sketch=replace(said, openings=openings))
    failed = [check for check in checks_of_round(questioned, altered) if check.ok is False]
    assert [check.name for check in failed] == ["round 1: answer 0"]
    assert "does not open to the sum" in failed[0].detail
    event = questioned_history.of(e.SketchRefuted)[0]
    place = questioned_history.events.index(event)
    altered = _with(questioned_history, place, replace(event, value=event.value ^ 2))
    failed = [check for check in checks_of_round(questioned, altered, number=3) if check.ok is False]
    assert "the value that refuted the answer is not that of chunk 0" in failed[0].detail


def test_a_deposit_that_went_elsewhere_is_named(questioned: Play, questioned_history: History) -> None:
    replayed = replay(questioned_history)
    ledger = read_ledger(questioned.client, block=questioned_history.block.number)
    assert "are the vault's own" in check_stakes(questioned.client, questioned_history, replayed, ledger)
    ends = {event.transaction_hash for event in questioned_history.of(e.ChallengeAnswered)}
    undone = {event.transaction_hash for event in questioned_history.of(e.RoundUndone)}
    answers = {event.transaction_hash for event in questioned_history.of(e.UpdateChunkAnswered)}
    for transactions in (ends, undone, answers):
        with pytest.raises(Exception, match="Transferred"):
            check_stakes(questioned.client, questioned_history, replayed, _stolen(ledger, transactions))


@pytest.fixture(scope="module")
def due(sketched_stage: Stage, questioned: Play, referenced: Play) -> tuple[Play, dict[int, Update]]:
    """A round of which the result is due."""
    return tales.closed_round(sketched_stage)


@pytest.fixture
def again(due: tuple[Play, dict[int, Update]]) -> Iterator[tuple[Play, dict[int, Update]]]:
    """That round, and the chain as it was before, afterwards."""
    play, _ = due
    model, blobs = play.model, dict(play.blobs)
    with undone_after(play.stage):
        yield due
    play.model, play.blobs = model, blobs


def _bump(leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """One point moved by the generator."""
    x, y = add(Point(leaves[1].x, leaves[1].y), Point(1, 2))
    return (leaves[0], Leaf(x, y, leaves[1].hash), *leaves[2:])


def _rehash(leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """One hash of other bytes."""
    return (leaves[0], Leaf(leaves[1].x, leaves[1].y, bytes(32)), *leaves[2:])


def _swap(updates: dict[int, bytes]) -> dict[int, bytes]:
    """Each slot's leaves are those of the next one."""
    slots = list(updates)
    return {slot: updates[after] for slot, after in zip(slots, [*slots[1:], slots[0]], strict=True)}


def _one(place: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    vector = np.zeros(sketched.LENGTH, dtype=np.int32)
    vector[place] = 1
    return vector


@pytest.mark.parametrize(
    ("lie", "failures"),
    [
        (Lie(), {}),
        (
            Lie(model=_one(600)),
            {
                "leaves": "chunk 1 of the new model is not the old one moved by the merged updates",
                "sum of sketches": "the merged sketches do not add up",
            },
        ),
        (
            Lie(leaves=_bump),
            {
                "leaves": "chunk 1 of the new model is not the old one moved by the merged updates",
                "model": "is not the one under the root: another point",
            },
        ),
        (Lie(leaves=_rehash), {"model": "is not the one under the root: another bytes"}),
        (Lie(updates=_swap), {"leaves": "are not those under its root on chain"}),
        (Lie(updates=lambda updates: dict(list(updates.items())[1:])), {"leaves": "bytes where"}),
        (
            Lie(updates=lambda updates: {}),
            {
                "manifest": "names no leaves of updates, but",
                "leaves": "the manifest names no leaves of the merged updates",
            },
        ),
        (
            Lie(sketches={2: np.arange(sketched.WIDTH, dtype=np.int64)}),
            {"sum of sketches": "the merged sketches do not add up"},
        ),
    ],
    ids=["true", "model", "point", "hash", "swapped", "one less", "manifest", "sketch"],
)
def test_what_the_contract_cannot_see_is_found_in_the_files(
    again: tuple[Play, dict[int, Update]], lie: Lie, failures: dict[str, str]
) -> None:
    play, updates = again
    if lie.sketches:  # of all: which are merged is the seed's
        sketch = sketched.sketcher(play).sketch
        lie = replace(lie, sketches={slot: sketch(update) + 1 for slot, update in updates.items()})
    sketched.post_result(play, play.aggregators[0], lie=lie)
    history = read_history(play.client, play.project)
    assert replay(history).violations == ()
    checks = tuple(checks_of_round(play, history))
    failed = {check.name.removeprefix("round 1: "): check.detail for check in checks if check.ok is False}
    assert set(failed) == set(failures), failed
    for name, words in failures.items():
        assert words in failed[name]
    assert all(check.ok is not None for check in checks)


@pytest.mark.parametrize(
    ("blob", "number", "open_"),
    [
        ("manifest 5", 5, {"manifest", "leaves", "model", "sum of sketches"}),
        ("leaves 5", 5, {"leaves"}),
        ("leaves of updates 5", 5, {"leaves"}),
        ("model 1", 1, {"model", "sum of sketches"}),
        ("model 1", 2, {"sum of sketches"}),
        ("leaves 1", 1, {"leaves"}),
        ("leaves 1", 2, set()),
    ],
)
def test_what_nobody_serves_cannot_be_checked(
    questioned: Play, questioned_history: History, blob: str, number: int, open_: set[str]
) -> None:
    """The leaves before a round can be made anew from the model."""
    cid = questioned.blobs[blob]
    store = questioned.stage.store.without(cid)
    checks = tuple(checks_of_round(questioned, questioned_history, store, number))
    found = {check.name: check.detail for check in checks if check.ok is not True}
    assert set(found) == {f"round {number}: {name}" for name in open_}
    assert all(check.ok is not False for check in checks)
    assert all(cid in detail for detail in found.values())


@pytest.mark.parametrize("blob", ["manifest 2", "leaves 2", "leaves of updates 2", "model 2"])
def test_a_byte_of_a_file_is_found(questioned: Play, questioned_history: History, blob: str) -> None:
    cid = questioned.blobs[blob]
    store = questioned.stage.store.altered(cid, place=40)
    checks = checks_of_round(questioned, questioned_history, store, number=2)
    failed = [check for check in checks if check.ok is False]
    assert failed
    assert all(cid in check.detail for check in failed)


def test_a_question_of_the_sum_is_told_from_one_of_a_slot(questioned_history: History) -> None:
    first = replay(questioned_history).rounds[0]
    asked = [dispute.question for dispute in first.disputes]
    slots = [question.facts.slot for question in asked if isinstance(question, e.SketchQuestioned)]
    assert slots == [SUM_SLOT, 3]


def _replayed(play: Play) -> Any:
    return replay(read_history(play.client, play.project))


def _with(history: History, place: int, *events: e.Event) -> History:
    """The history with other events in the place of one."""
    return replace(history, events=(*history.events[:place], *events, *history.events[place + 1 :]))


def _stolen(ledger: Ledger, transactions: set[bytes]) -> Ledger:
    """What went from one account to another in these transactions went to a stranger."""
    vault = tuple(
        replace(event, to=event.token)
        if isinstance(event, e.Transferred) and event.transaction_hash in transactions
        else event
        for event in ledger.vault
    )
    assert vault != ledger.vault
    return replace(ledger, vault=vault)
