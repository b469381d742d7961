"""The sketch path in an aggregator: updates held against their leaves, kept, and looked for in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.behaviour import FRIEND, SKETCHED, Attack, Behaviour
from aggregator.path import NotCommitted
from aggregator.paths import path_of
from aggregator.sketch.kept import KeptSketches, Sketched
from aggregator.sketch.opening import open_committed
from aggregator.sketch.path import SketchPath
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.project import ProjectContext
from marketplace.node.vectors import Committed, commit, packed_bytes, unpack
from marketplace.protocol.digests import update_digest
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.updates.envelope import UpdateContext, seal, sealed_bytes
from marketplace.updates.sealing import EncryptionKey
from tests.support.local_store import LocalStore
from tests.support.sketched import CHUNKS, LENGTH, MARKET, WIDTH, sketch_files, sketched_context
from trainer_node.behaviour import Attack as TrainerAttack
from trainer_node.behaviour import Behaviour as TrainerBehaviour

HOLDER, ROUND = "0x" + "34" * 20, 3
KEY = EncryptionKey.from_bytes(b"\x07" * 32)


@pytest.fixture(scope="module")
def context() -> ProjectContext:
    return sketched_context(sketch_files(), LocalStore())


@pytest.fixture(scope="module")
def committed(context: ProjectContext) -> Committed:
    update = np.random.default_rng(2).integers(-900, 900, LENGTH).astype(np.int16)
    return commit(context, update)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as made:
        yield made


def opened(context: ProjectContext, sealed: Committed, submitted: Committed | None = None) -> Committed:
    """What an aggregator makes of what a trainer sealed, having submitted a commitment."""
    commitment = (submitted or sealed).commitment
    bound_to = UpdateContext(31337, MARKET, context.project, ROUND, HOLDER)
    blob = seal(sealed.packed(), commitment, KEY.public, bound_to).blob
    assert len(blob) == sealed_bytes(packed_bytes(context))
    digest = update_digest(*commitment, HOLDER)
    return open_committed(context, KEY, bound_to, digest, blob, None)


def test_an_update_is_sealed_with_its_leaves(context: ProjectContext, committed: Committed) -> None:
    found = opened(context, committed)
    assert (found.update == committed.update).all()
    assert (found.leaves, found.commitment) == (committed.leaves, committed.commitment)
    assert committed.commitment == context.committer.commit(committed.update)


def test_a_false_leaf_is_named(context: ProjectContext, committed: Committed) -> None:
    false = TrainerBehaviour(TrainerAttack.FALSE_LEAF).committed(committed)
    assert false.commitment != committed.commitment
    with pytest.raises(NotCommitted) as refused:
        opened(context, false)
    assert (refused.value.reason, refused.value.chunk) == (Reason.INTEGRITY, CHUNKS // 2)


def test_another_update_under_true_leaves_is_named_by_its_chunk(
    context: ProjectContext, committed: Committed
) -> None:
    other = committed.update.copy()
    other[-1] += 1
    with pytest.raises(NotCommitted) as refused:
        opened(context, Committed(other, committed.commitment, committed.leaves))
    assert refused.value.chunk == CHUNKS - 1


def test_leaves_that_are_not_under_the_root_say_nothing_of_a_chunk(
    context: ProjectContext, committed: Committed
) -> None:
    false = TrainerBehaviour(TrainerAttack.FALSE_LEAF).committed(committed)
    with pytest.raises(FairshareError) as refused:
        opened(context, committed, submitted=false)
    assert refused.value.reason is Reason.INTEGRITY
    assert not isinstance(refused.value, NotCommitted)


@pytest.mark.parametrize("cut", [0, 1, -1, 40])
def test_what_is_not_an_update_with_its_leaves_is_refused(
    context: ProjectContext, committed: Committed, cut: int
) -> None:
    packed = committed.packed()
    damaged = packed + b"\0" if cut == -1 else packed[cut + 1 :] if cut else b""
    with pytest.raises(FairshareError) as refused:
        unpack(context, damaged)
    assert refused.value.reason is Reason.INTEGRITY


def test_what_is_kept_of_an_update_is_found_again(
    context: ProjectContext, committed: Committed, journal: Journal
) -> None:
    numbers = np.arange(WIDTH, dtype=np.int64) * -(2**40)
    seed = b"\x05" * 32
    before = KeptSketches(journal, context, ROUND)
    before.keep(1, 2, committed)
    assert (before.has(1, 2), before.sketched(1, 2)) == (True, None)
    before.keep_sketch(1, 2, Sketched(numbers, context.circuit.zero), seed)
    kept = KeptSketches(journal, context, ROUND)
    found = kept.sketched(1, 2)
    assert found is not None
    assert (found.update == numbers).all()
    assert found.commitment == context.circuit.zero
    assert (kept.update(1, 2) == committed.update).all()
    assert kept.leaves(1, 2) == committed.leaves
    assert int.from_bytes(kept.root(1, 2), "big") == committed.commitment.x
    assert kept.sketched(0, 2) is None
    assert kept.sketched(1, 2, seed) is not None
    assert kept.sketched(1, 2, b"\x06" * 32) is None  # a reorganisation drew another seed
    assert not kept.has(0, 2)
    with pytest.raises(FairshareError) as missing:
        kept.update(0, 2)
    assert missing.value.reason is Reason.NOT_FOUND
    kept.keep(1, 2, committed)  # another submission for the slot: the sketch is not of it
    assert kept.sketched(1, 2) is None


@given(st.integers(600, 10**6), st.integers(1, 16), st.integers(1, 4 * 10**7))
def test_a_look_at_every_update_leaves_time_to_complain(window: int, wanted: int, size: int) -> None:
    path = SketchPath(Behaviour())
    terms: Any = SimpleNamespace(answer_window=window, result_window=window)
    looks = -(-wanted // path.at_once)
    assert looks * path.fetch_s(terms, wanted, size) <= 0.15 * window + 0.5


def test_only_a_drawn_seed_lets_a_round_begin() -> None:
    path = SketchPath(Behaviour())
    states: Any = [SimpleNamespace(round=2, seed_round=drawn) for drawn in (0, 1, 2)]
    assert [path.may_begin(state) for state in states] == [False, False, True]


def test_false_values_add_up_to_what_is_due() -> None:
    true = [5, 7, FIELD_MODULUS - 1]
    assert Behaviour().values(true, 11) == true
    false = Behaviour(Attack.FRIEND_SKETCH).values(true, 99)
    assert false != true
    assert sum(false) % FIELD_MODULUS == 99
    sketch = np.arange(-50, 50, dtype=np.int64)
    for attack in (None, Attack.WRONG_SKETCH, Attack.FRIEND_SKETCH):
        proved = Behaviour(attack).sketch(sketch, FRIEND)
        assert (proved == sketch).all() == (attack is None)
        assert (Behaviour(attack).sketch(sketch, FRIEND + 1) == sketch).all()


def test_attacks_of_the_sketch_path_are_for_it(context: ProjectContext) -> None:
    for attack in SKETCHED:
        path_of(context, Behaviour(attack))
        with pytest.raises(FairshareError) as refused:
            path_of(SimpleNamespace(is_sketched=False), Behaviour(attack))  # type: ignore[arg-type]
        assert refused.value.reason is Reason.BAD_INPUT
