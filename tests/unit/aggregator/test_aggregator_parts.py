"""The pure parts: windows and bonds of complaints, lies, merging, what is kept, contacts, listing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.behaviour import Attack, Behaviour, tampered
from aggregator.complaining import affordable, fetch_timeout, may_complain, may_wait
from aggregator.joining import proof_of_listing
from aggregator.kept import Kept, forget_before
from aggregator.merging import commitments_of, gram_of, merge, round_result
from marketplace.chain.types import Arrivals, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.protocol.digests import BATCH
from marketplace.protocol.krum import Rules, judge, mask
from marketplace.spec import allowed_list
from marketplace.storage.contact import encode_contact
from marketplace.updates.batch import Batch, BatchEntry
from marketplace.updates.envelope import OpenedUpdate
from tests.support.structs import blank
from zk import curve
from zk.curve import Point

G, ZERO = Point(1, 2), curve.INFINITY
RULES = Rules(slots=5, faults=1, max_norm_squared=10**6)
PEER = "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGzBfqyvNKAJFAMH6hyxRnSdVtzsEDXsTLfnxcdBQHHXb"


def opened(*values: int) -> OpenedUpdate:
    return OpenedUpdate(np.array(values, dtype=np.int16), G)


def updates(count: int = 5) -> dict[int, OpenedUpdate]:
    return {slot: opened(10 + slot, 20, -slot) for slot in range(count)}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as made:
        yield made


def windows(answer: int, result: int) -> Any:
    return SimpleNamespace(answer_window=answer, result_window=result)


def turn(start: int, result_deadline: int) -> Any:
    return SimpleNamespace(turn_start=start, result_deadline=result_deadline)


def test_waiting_ends_before_complaining_does() -> None:
    terms, project = windows(100, 400), turn(1000, 1400)
    assert may_wait(terms, project, 1039)
    assert not may_wait(terms, project, 1040)
    assert may_complain(terms, project, 1099)
    assert not may_complain(terms, project, 1100)
    short = windows(100, 20)
    assert not may_wait(short, turn(1000, 1020), 1008)
    assert not may_complain(short, turn(1000, 1020), 1020)


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_an_attempt_and_the_waiting_leave_time_to_complain(answer: int, result: int) -> None:
    shortest = min(answer, result)
    assert 0.4 * shortest + fetch_timeout(windows(answer, result)) <= max(
        0.55 * shortest, 0.4 * shortest + 0.5
    )


def test_complaints_are_as_many_as_the_bond_pays_for() -> None:
    assert affordable({3, 1, 2}, 0, 25, 10) == {1, 2}
    assert affordable({3, 1, 2}, 1, 25, 10) == {1}
    assert affordable({3, 1, 2}, 5, 25, 10) == frozenset()
    assert affordable({3, 1, 2}, 0, 0, 0) == {1, 2, 3}


def test_a_merge_is_posted_as_the_contract_takes_it() -> None:
    merged = merge(RULES, np.zeros(3, dtype=np.int32), updates(), (1, 2, 3, 4, 5))
    assert merged.gram == gram_of(RULES, updates())
    assert len(merged.judgement.merged) == 4
    expected = sum(updates()[slot].update.astype(int) for slot in merged.judgement.merged)
    assert (merged.model == expected).all()
    arrived = Arrivals(bytes(range(5)), tuple(bytes([i]) * 32 for i in range(5)), (), ())
    result = round_result(
        blank(Project, round=3, model=Point(7, 8)), 1, merged, arrived, b"\x01" * 32, b"proof"
    )
    assert (result.round, result.cohort, result.merged) == (3, 1, mask(merged.judgement.merged))
    assert result.before == bytes(31) + b"\x07"
    assert result.gram == merged.gram.triangle
    assert len(result.neighbours) == 5


def test_absent_slots_hold_the_zero_commitment_and_the_reference_comes_last() -> None:
    rules = Rules(slots=5, faults=1, max_norm_squared=10**6, reference=True, reference_share=8000)
    with_reference = {**updates(), 5: opened(1, 2, 3)}
    del with_reference[2]
    commitments = commitments_of(rules, with_reference, ZERO)
    points = [commitments[at : at + 64] for at in range(0, len(commitments), 64)]
    assert points == [curve.to_bytes(ZERO if slot == 2 else G) for slot in range(6)]
    assert gram_of(rules, with_reference).slots == 6
    full = merge(rules, np.zeros(3, dtype=np.int32), {**updates(), 5: opened(1, 2, 3)}, (1, 2, 3, 4, 5))
    assert full.judgement.by_reference
    assert not merge(rules, np.zeros(3, dtype=np.int32), updates(), (1, 2, 3, 4, 5)).judgement.by_reference


def test_every_lie_differs_from_the_truth() -> None:
    merged = merge(RULES, np.zeros(3, dtype=np.int32), updates(), (1, 2, 3, 4, 5))
    known = Arrivals(bytes([0, 1, BATCH]), (b"\x01" * 32, b"\x02" * 32), (b"\x03" * 32,), (b"s",))
    points = b"".join(bytes([slot]) * 64 for slot in range(5))
    honest = round_result(blank(Project, round=1), 0, merged, known, b"\x01" * 32, points)
    lies = dict(tampered(honest, 5))
    assert set(lies) == {"scores", "mask", "update", "proof", "arrivals"}
    assert honest not in lies.values()
    assert lies["arrivals"].arrivals.order == bytes([0, 1])
    assert lies["arrivals"].arrivals.digests == known.digests
    assert lies["mask"].merged.bit_count() == honest.merged.bit_count()


def test_a_false_gram_matrix_is_judged_as_it_is_posted() -> None:
    cheat = Behaviour(Attack.FALSE_GRAM)
    false = merge(RULES, np.zeros(3, dtype=np.int32), updates(), (1, 2, 3, 4, 5), cheat)
    assert false.gram != gram_of(RULES, updates())
    assert false.judgement == judge(RULES, false.gram, range(5), (1, 2, 3, 4, 5))


def test_behaviours_differ_in_one_thing_each() -> None:
    honest = Behaviour()
    assert honest.concludes
    assert not honest.lies
    assert honest.serves_model(1)
    assert honest.answers_for_model()
    assert honest.victim({1, 2}) == frozenset()
    assert Behaviour(Attack.FALSE_COMPLAINT).victim({1, 2}) == {1}
    assert Behaviour(Attack.WITHHOLD_MODEL).serves_model(2)
    assert not Behaviour(Attack.WITHHOLD_MODEL).serves_model(1)


def test_what_is_kept_is_found_again(journal: Journal) -> None:
    kept = Kept(journal, 7, 2)
    kept.keep_update(0, 3, opened(1, -2, 3))
    found = Kept(journal, 7, 2).update(0, 3, 3)
    assert found is not None
    assert (found.update.tolist(), found.commitment) == ([1, -2, 3], G)
    assert kept.update(1, 3, 3) is None
    kept.keep_proof(0, {1, 2}, b"proof")
    assert (kept.proof(0, {2, 1}), kept.proof(0, {1}), kept.proof(1, {1, 2})) == (b"proof", None, None)
    kept.keep_posting(1, 0, {4, 3})
    assert (kept.posting(0), kept.posting(1)) == (1, None)
    kept.forget_posting()
    assert kept.posting(0) is None
    assert kept.posted_slots(1) == {3, 4}
    assert kept.posted_slots(0) is None
    batch = Batch((BatchEntry(1, b"\x01" * 32, b"\x02" * 32, b"s"),))
    kept.keep_batch(0, batch)
    assert kept.batch(0) == kept.batch(0, batch.root) == batch
    assert kept.batch(0, b"\x00" * 32) is None


def test_old_rounds_are_forgotten(journal: Journal) -> None:
    for round_ in (1, 2, 3):
        Kept(journal, 7, round_).keep_update(0, 0, opened(1))
    Kept(journal, 8, 1).keep_update(0, 0, opened(1))
    forget_before(journal, 7, 3)
    forget_before(journal, 7, 0)
    assert [Kept(journal, 7, r).update(0, 0, 1) is not None for r in (1, 2, 3)] == [False, False, True]
    assert Kept(journal, 8, 1).update(0, 0, 1) is not None


def test_only_the_listed_join_where_there_is_a_list() -> None:
    allowed = tuple("0x" + f"{i:02x}" * 20 for i in range(1, 4))
    assert proof_of_listing((), allowed[0], 1) == []
    assert proof_of_listing(allowed, allowed[1], 1) == allowed_list.proof(allowed, allowed[1])
    with pytest.raises(FairshareError) as caught:
        proof_of_listing(allowed, "0x" + "99" * 20, 1)
    assert caught.value.reason is Reason.REFUSED


def test_a_contact_names_the_place_for_submissions() -> None:
    assert encode_contact(PEER) == PEER.encode()
    lines = encode_contact(PEER, "http://203.0.113.9:9000").split(b"\n")
    assert lines == [PEER.encode(), b"http://203.0.113.9:9000"]
    for url in ("ftp://host", "http://", "http://a b", "http://host?x", "http://host\nmore", "http://u@host"):
        with pytest.raises(FairshareError):
            encode_contact(PEER, url)
    with pytest.raises(FairshareError):
        encode_contact(PEER, "http://" + "a" * 200)
