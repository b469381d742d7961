"""The replay alone: any event changed, dropped or doubled shows, and nothing it says makes it crash."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.audit.calls import find_complaint, find_proof, find_result
from marketplace.audit.history import History
from marketplace.audit.replay import replay
from marketplace.audit.spoken import place_of
from marketplace.chain import events as e
from marketplace.chain.types import Arrivals, ChallengeKind, RoundResult
from marketplace.errors import FairshareError
from marketplace.protocol.krum import members
from tests.support.altered_history import NOT_REPLAYED, holds, is_only_called, is_opened, other
from tests.support.market_run import Play

_LENIENT = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
# Events without a trace in the project: receipts tell whether they were there, memberships what was claimed.
_TRACELESS = e.KeyResealed | e.Released | e.Claimed


@pytest.fixture(params=["history", "doubted_history", "drawn_history"])
def any_history(request: pytest.FixtureRequest) -> History:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, History)
    return found


def test_the_real_history_holds(any_history: History) -> None:
    assert holds(any_history)


@_LENIENT
@given(data=st.data())
def test_any_field_of_any_event_counts(any_history: History, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(any_history.events) - 1))
    event = any_history.events[place]
    names = [field.name for field in dataclasses.fields(event) if field.name not in NOT_REPLAYED]
    if not names or isinstance(event, e.KeyResealed):
        return
    name = data.draw(st.sampled_from(names))
    if (name == "digest" and not is_opened(any_history, event)) or is_only_called(any_history, place, name):
        return
    changed = dataclasses.replace(event, **{name: other(getattr(event, name), data)})
    events = (*any_history.events[:place], changed, *any_history.events[place + 1 :])
    assert not holds(dataclasses.replace(any_history, events=events)), (event, changed)


def test_every_number_of_a_round_cohort_or_slot_counts(any_history: History) -> None:
    """All of them: a property that draws one event's field of hundreds may miss it for months."""
    for place, event in enumerate(any_history.events):
        for name in ("round", "cohort", "slot"):
            if isinstance(event, e.KeyResealed) or name in NOT_REPLAYED or not hasattr(event, name):
                continue
            changed = dataclasses.replace(event, **{name: getattr(event, name) + 1})
            events = (*any_history.events[:place], changed, *any_history.events[place + 1 :])
            assert not holds(dataclasses.replace(any_history, events=events)), (event, name)


def test_every_other_kind_of_an_answered_question_counts(doubted_history: History) -> None:
    """What is asked in vain only the call tells: `test_every_other_kind_of_question_shows_in_its_call`."""
    events = doubted_history.events
    for place, event in enumerate(events):
        if isinstance(event, e.Challenged) and not is_only_called(doubted_history, place, "kind"):
            for kind in set(ChallengeKind) - {event.kind}:
                altered = (*events[:place], dataclasses.replace(event, kind=kind), *events[place + 1 :])
                assert not holds(dataclasses.replace(doubted_history, events=altered)), (event, kind)


def test_every_event_is_needed_once(any_history: History) -> None:
    chosen = random.Random(5)
    for kind in dict.fromkeys(type(event) for event in any_history.events):
        event = chosen.choice(any_history.of(kind))
        place = any_history.events.index(event)
        before, after = any_history.events[:place], any_history.events[place + 1 :]
        sent = isinstance(event, e.UpdateSubmitted | e.ReferenceSubmitted)
        if not isinstance(event, _TRACELESS) and (not sent or is_opened(any_history, event)):
            assert not holds(dataclasses.replace(any_history, events=before + after)), event
        if not isinstance(event, e.KeyResealed):
            assert not holds(dataclasses.replace(any_history, events=(*before, event, event, *after))), event


def test_the_order_counts(any_history: History) -> None:
    chosen = random.Random(3)
    loose = (e.KeyResealed, e.Claimed, e.Released)  # each stands for itself
    for _ in range(30):
        first, second = sorted(chosen.sample(range(len(any_history.events)), 2))
        events = list(any_history.events)
        kinds = {type(events[first]), type(events[second])}
        events[first], events[second] = events[second], events[first]
        found = dataclasses.replace(any_history, events=tuple(events))
        if len(kinds) == 1 or kinds & set(loose):
            replay(found)  # where their places are lawful, nothing is wrong
        else:
            assert not holds(found), (first, second)


@_LENIENT
@given(
    fields=st.fixed_dictionaries(
        {
            "merged": st.integers(0, 2**16 - 1),
            "median_score_slot": st.integers(0, 255),
            "neighbours": st.lists(st.integers(0, 2**16 - 1), max_size=17).map(tuple),
            "gram": st.lists(st.integers(0, 2**256 - 1), min_size=19, max_size=22).map(tuple),
            "proof": st.binary(max_size=400),
            "arrivals": st.builds(
                Arrivals,
                order=st.binary(max_size=8),
                digests=st.lists(st.binary(min_size=32, max_size=32), max_size=7).map(tuple),
                batch=st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
                signatures=st.lists(st.binary(max_size=66), max_size=4).map(tuple),
            ),
        }
    ),
    which=st.integers(0, 3),
)
def test_no_result_crashes_the_replay(any_history: History, fields: dict[str, Any], which: int) -> None:
    posted = any_history.of(e.ResultPosted)
    place = place_of(posted[which % len(posted)])
    real = any_history.results[place]
    assert isinstance(real, RoundResult)
    results = {**any_history.results, place: dataclasses.replace(real, **fields)}
    assert not holds(dataclasses.replace(any_history, results=results))


def test_a_result_that_the_contract_has_to_refuse_is_named(history: History) -> None:
    """Two present updates whose product no vectors have: whoever took it was no such contract."""
    posted = history.of(e.ResultPosted)[0]
    real = history.results[place_of(posted)]
    assert isinstance(real, RoundResult)
    i, j = members(posted.present & ~posted.struck)[:2]
    slots = history.terms.slots
    gram = list(real.gram)
    gram[i * slots - i * (i - 1) // 2 + j - i] = 2**100
    results = {**history.results, place_of(posted): dataclasses.replace(real, gram=tuple(gram))}
    found = [str(wrong) for wrong in replay(dataclasses.replace(history, results=results)).violations]
    said = f"it has to refuse: the inner product of inputs {i} and {j} is not that of int16 vectors"
    assert any(said in wrong for wrong in found), found


def test_a_result_made_on_another_model_is_named(any_history: History) -> None:
    for posted in any_history.of(e.ResultPosted):
        real = any_history.results[place_of(posted)]
        assert isinstance(real, RoundResult)
        other = dataclasses.replace(real, before=real.before[::-1])
        results = {**any_history.results, place_of(posted): other}
        found = replay(dataclasses.replace(any_history, results=results)).violations
        assert [wrong.round for wrong in found if "it was made on another model" in wrong.message] == [
            posted.round
        ]


def test_amounts_beyond_their_type_do_not_crash_the_replay(history: History) -> None:
    for kind, name in ((e.TrainerStruck, "slashed"), (e.ResultPosted, "escrow"), (e.ResultPosted, "fee")):
        event = history.of(kind)[0]
        place = history.events.index(event)
        changed = dataclasses.replace(event, **{name: 2**255})
        events = (*history.events[:place], changed, *history.events[place + 1 :])
        assert not holds(dataclasses.replace(history, events=events))


def test_an_unread_result_is_told_from_a_wrong_one(history: History) -> None:
    place = place_of(history.of(e.ResultPosted)[0])
    found = replay(dataclasses.replace(history, results={**history.results, place: "not there"}))
    cohort = found.rounds[0].cohorts[0]
    assert cohort.unread == "not there"
    assert cohort.settlement is None
    assert found.violations == ()
    assert found.state == history.state


def test_of_an_unread_result_on_demand_the_outcome_is_known(doubted_history: History) -> None:
    place = place_of(doubted_history.of(e.ResultPosted)[-1])
    results = {**doubted_history.results, place: "not there"}
    found = replay(dataclasses.replace(doubted_history, results=results))
    assert found.violations == ()
    assert found.outcome_known
    assert found.state == doubted_history.state, (
        "whoever posts through a contract hides nothing that is disputed"
    )


def test_an_unread_complaint_about_a_batch_is_no_violation(history: History) -> None:
    unread = dict.fromkeys(history.complaints, "not there")
    assert replay(dataclasses.replace(history, complaints=unread)).violations == ()


def test_a_call_inside_another_contracts_call_is_found(
    settled: Play, doubted: Play, history: History
) -> None:
    def wrapped(event: e.Event) -> bytes:
        calldata = settled.client.transaction_input(event.transaction_hash)
        return bytes.fromhex("b61d27f6") + bytes(96) + calldata + bytes(28)

    posted = history.of(e.ResultPosted)[1]
    place = place_of(posted)
    assert find_result(wrapped(posted), posted.project, posted.round, posted.cohort) == history.results[place]
    complained = history.of(e.UpdatesComplained)[0]
    known = find_complaint(wrapped(complained), complained.project, complained.round, complained.cohort)
    assert known == history.complaints[place_of(complained)]
    answers = e.fetch(doubted.client, [e.ChallengeAnswered], doubted.project)
    proved = next(event for event in answers if event.kind is ChallengeKind.PROOF)
    assert len(find_proof(wrapped(proved), doubted.project).gram) == 21


@_LENIENT
@given(data=st.binary(max_size=400), cut=st.integers(0, 3000))
def test_no_calldata_crashes_the_search(settled: Play, history: History, data: bytes, cut: int) -> None:
    posted = history.of(e.ResultPosted)[0]
    calldata = settled.client.transaction_input(posted.transaction_hash)
    for candidate in (data, calldata[:4] + data, calldata[:cut]):
        try:
            find_result(candidate, posted.project, posted.round, posted.cohort)
        except FairshareError:
            continue
