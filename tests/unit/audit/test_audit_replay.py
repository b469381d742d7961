"""The replay alone: any event changed, dropped or doubled shows, and nothing it says makes it crash."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.audit.calls import find_result
from marketplace.audit.history import History
from marketplace.audit.replay import Replay, replay
from marketplace.chain import events as e
from marketplace.chain.types import Address, RoundResult, Status
from marketplace.errors import FairshareError
from tests.support.market_run import Play

# What only calldata, receipts or blobs can tell.
_NOT_REPLAYED = {
    "block_number",
    "log_index",
    "transaction_hash",
    "project",
    "encryption_key",
    "contact",
    "blob",
    "sealed_key",
}
_ANYBODY = Address("0x" + "12" * 20)
_LENIENT = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def holds(history: History) -> bool:
    """Whether the replay finds nothing and ends in the state, with the members and records, that the chain holds."""
    found: Replay = replay(history)
    records = [(r.transaction_hash, r.round, r.aggregator) for r in found.records]
    kept = [(r.transaction_hash, r.round, getattr(r, "aggregator", None)) for r in history.reputation]  # type: ignore[attr-defined]
    return (
        not found.violations
        and found.state == history.state
        and found.members.by_slot() == history.trainers
        and tuple(found.members.aggregators) == history.aggregators
        and records == kept
    )


def test_the_real_history_holds(history: History) -> None:
    assert holds(history)


@_LENIENT
@given(data=st.data())
def test_any_field_of_any_event_counts(history: History, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(history.events) - 1))
    event = history.events[place]
    names = [field.name for field in dataclasses.fields(event) if field.name not in _NOT_REPLAYED]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    changed = dataclasses.replace(event, **{name: _other(getattr(event, name), data)})
    events = (*history.events[:place], changed, *history.events[place + 1 :])
    assert not holds(dataclasses.replace(history, events=events)), (type(event).__name__, name)


def test_every_event_is_needed_once(history: History) -> None:
    for place, event in enumerate(history.events):
        before, after = history.events[:place], history.events[place + 1 :]
        if not isinstance(event, e.KeyResealed | e.Released):  # receipts tell, and the vault's locks
            assert not holds(dataclasses.replace(history, events=before + after)), event
        if not isinstance(event, e.KeyResealed):
            assert not holds(dataclasses.replace(history, events=(*before, event, event, *after))), event


def test_the_order_counts(history: History) -> None:
    chosen = random.Random(3)
    for _ in range(30):
        first, second = sorted(chosen.sample(range(len(history.events)), 2))
        if type(history.events[first]) is type(history.events[second]):
            continue
        events = list(history.events)
        events[first], events[second] = events[second], events[first]
        found = dataclasses.replace(history, events=tuple(events))
        if isinstance(events[first], e.KeyResealed) or isinstance(events[second], e.KeyResealed):
            replay(found)  # where the key's place is lawful, nothing is wrong
        else:
            assert not holds(found), (first, second)


@_LENIENT
@given(
    fields=st.fixed_dictionaries(
        {
            "omitted": st.integers(0, 2**16 - 1),
            "merged": st.integers(0, 2**16 - 1),
            "median_score_slot": st.integers(0, 255),
            "neighbours": st.lists(st.integers(0, 2**16 - 1), max_size=17).map(tuple),
            "gram": st.lists(st.integers(0, 2**256 - 1), min_size=19, max_size=22).map(tuple),
        }
    )
)
def test_no_result_crashes_the_replay(history: History, fields: dict[str, Any]) -> None:
    posted = (history.of(e.ResultPosted)[0].transaction_hash, 1)
    real = history.results[posted]
    assert isinstance(real, RoundResult)
    results = {**history.results, posted: dataclasses.replace(real, **fields)}
    assert not holds(dataclasses.replace(history, results=results))


def test_an_unread_result_is_told_from_a_wrong_one(history: History) -> None:
    posted = (history.of(e.ResultPosted)[0].transaction_hash, 1)
    found = replay(dataclasses.replace(history, results={**history.results, posted: "not there"}))
    assert found.rounds[0].unread == "not there"
    assert found.rounds[0].settlement is None
    assert found.violations == ()


def test_a_result_inside_another_contracts_call_is_found(settled: Play, history: History) -> None:
    posted = history.of(e.ResultPosted)[1]
    calldata = settled.client.transaction_input(posted.transaction_hash)
    wrapped = bytes.fromhex("b61d27f6") + bytes(96) + calldata + bytes(28)
    assert (
        find_result(wrapped, posted.project, posted.round)
        == history.results[posted.transaction_hash, posted.round]
    )


@_LENIENT
@given(data=st.binary(max_size=400), cut=st.integers(0, 3000))
def test_no_calldata_crashes_the_search(settled: Play, history: History, data: bytes, cut: int) -> None:
    posted = history.of(e.ResultPosted)[0]
    calldata = settled.client.transaction_input(posted.transaction_hash)
    for candidate in (data, calldata[:4] + data, calldata[:cut]):
        try:
            find_result(candidate, posted.project, posted.round)
        except FairshareError:
            continue


def _other(value: Any, data: st.DataObject) -> Any:
    match value:
        case bool():
            return not value
        case Status():
            return data.draw(st.sampled_from([status for status in Status if status is not value]))
        case int():
            return value ^ (1 << data.draw(st.sampled_from([0, 1, 7, 15, 63, 200])))
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case _:
            return _ANYBODY
