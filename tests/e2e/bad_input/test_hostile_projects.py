"""Projects whose owner lies: every role refuses them by name before a stake or a bond is put up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from marketplace.chain.types import Terms
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node.project import load_project
from marketplace.updates.codec import pack_model
from tests.e2e.bad_input.commands import AUDIT, MODEL, SERVE, TRAIN, WATCH, filled
from tests.e2e.bad_input.ground import Ground, Visitor
from tests.support.live_market import SLOTS, iris, project_file
from trainer_node.behaviour import Behaviour
from trainer_node.work import prepare
from zk.keys import limits

SPEC, LIE = Reason.BAD_SPEC, Reason.INTEGRITY
SHAPE = project_file().shape
LENGTH = SHAPE.length  # of a model: a softmax over iris has 15 numbers, its circuit some more
SRS_BYTES = limits(SHAPE).srs


def packed(value: int, length: int = LENGTH) -> bytes:
    return pack_model(np.full(length, value, dtype=np.int32))


def naming(**blobs: bytes) -> Callable[[Ground], bytes]:
    """A spec that names other circuit files."""
    return lambda g: g.spec(circuit={key: g.owner.store.add(data) for key, data in blobs.items()})


def starting_at(model: bytes) -> Callable[[Ground], bytes]:
    """A spec that names another initial model."""
    return lambda g: g.spec(initial_model=g.owner.store.add(model))


# What the posted spec is, and what the refusal names.
HOSTILE: dict[str, tuple[Callable[[Ground], bytes], Reason, str]] = {
    "garbage": (lambda g: b"\x00\xff garbage", SPEC, "not JSON"),
    "nothing": (lambda g: b"{}", SPEC, "project"),
    "no object": (lambda g: b"[1, 2]", SPEC, "spec"),
    "deep": (lambda g: b"[" * 60_000, SPEC, "spec"),
    "too long": (lambda g: b" " * 70_000, Reason.TOO_LARGE, "65536"),
    "not canonical": (lambda g: g.spec() + b"\n", SPEC, "canonical"),
    "a field twice": (lambda g: b'{"version":1,' + g.spec()[1:], SPEC, "twice"),
    "NaN": (lambda g: g.spec().replace(b'"learning_rate":', b'"learning_rate":NaN,"x":'), SPEC, "NaN"),
    "an unknown field": (lambda g: g.spec(rounds={"colour": 1}), SPEC, "rounds.colour"),
    "contradictory": (lambda g: g.spec(cohort={"faults": 5}), SPEC, "cohort.faults"),
    "an unknown task": (lambda g: g.spec(task={"kind": "poetry"}), SPEC, "poetry"),
    "a task of another length": (lambda g: g.spec(task={"features": 5}), SPEC, "task"),
    "another reward": (lambda g: g.spec(reward={"amount": str(10**19)}), SPEC, "reward"),
    "another stake": (lambda g: g.spec(stakes={"trainer": str(2 * 10**17)}), SPEC, "trainer_stake"),
    "other rounds": (lambda g: g.spec(rounds={"count": 3}), SPEC, "rounds"),
    "another window": (lambda g: g.spec(rounds={"submit_window": 13}), SPEC, "submit_window"),
    "another rule": (lambda g: g.spec(scoring={"fallback_rule": "cosine"}), SPEC, "fallback_rule"),
    "a path without its section": (lambda g: g.spec(arithmetic={"path": "sketch"}), SPEC, "sketch"),
    "another chain": (lambda g: g.spec(chain={"chain_id": 1}), SPEC, "chain.chain_id"),
    "another market": (lambda g: g.spec(chain={"market": "0x" + "11" * 20}), SPEC, "chain.market"),
    "another circuit": (lambda g: g.spec(circuit={"digest": "0x" + "11" * 32}), SPEC, "circuit"),
    "another model": (starting_at(packed(1)), LIE, "model"),
    "a model of another length": (starting_at(packed(0, LENGTH - 1)), LIE, "model"),
    "no model": (starting_at(b"a model"), LIE, "model"),
    "a verifying key of other bytes": (naming(vk=b"\x01" * 5000), LIE, "circuit files"),
    "an empty verifying key": (naming(vk=b""), LIE, "verifying key"),
    "an SRS of other bytes": (naming(srs=b"\x01" * SRS_BYTES), LIE, "SRS"),
    "a short SRS": (naming(srs=b"\x01" * 100), LIE, "SRS"),
    "a long SRS": (naming(srs=b"\x01" * (SRS_BYTES + 1)), Reason.TOO_LARGE, str(SRS_BYTES)),
    "a test SRS as a ceremony's": (lambda g: g.spec(circuit={"srs_kind": "ceremony"}), LIE, "SRS"),
}


@pytest.fixture(params=HOSTILE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_trainer_joins(visitor: Visitor, kind: str) -> None:
    make, reason, named = HOSTILE[kind]
    project = visitor.ground.hostile(kind, make(visitor.ground))
    visitor.refused(*filled(visitor, TRAIN, project), reason=reason, named=[named])
    assert visitor.ground.owner.client.project(project).trainer_count == 0


@pytest.mark.parametrize("kind", ["garbage", "another reward", "another model", "an SRS of other bytes"])
def test_nobody_else_works_with_it(visitor: Visitor, kind: str) -> None:
    make, reason, named = HOSTILE[kind]
    project = visitor.ground.hostile(kind, make(visitor.ground))
    for command in (SERVE, WATCH, MODEL):
        visitor.refused(*filled(visitor, command, project), reason=reason, named=[named])
    assert visitor.ground.owner.client.project(project).aggregator_count == 0
    audited = visitor.call(*filled(visitor, AUDIT, project))
    assert audited.status == 1, audited
    assert "DOES NOT HOLD" in audited.stdout


def test_a_commitment_to_another_model_is_seen(visitor: Visitor) -> None:
    def with_another_model(terms: Terms) -> Terms:
        return dataclasses.replace(
            terms, initial_model=context.committer.commit(np.ones(LENGTH, dtype=np.int32))
        )

    ground = visitor.ground
    owner = ground.owner
    context = load_project(owner.client, owner.store, ground.project("open"), owner.cache)
    project = ground.hostile("another commitment", ground.spec(), with_another_model)
    visitor.refused(*filled(visitor, TRAIN, project), reason=LIE, named=["model"])


def test_files_that_nobody_serves_are_waited_for_and_named(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a minute; here for less."""
    assert load_project.__kwdefaults__ is not None
    monkeypatch.setitem(load_project.__kwdefaults__, "timeout_s", 1.0)
    from marketplace.storage.cid import cid_of

    absent = cid_of(b"nobody has this")
    project = visitor.ground.hostile("no model served", visitor.ground.spec(initial_model=absent))
    visitor.refused(*filled(visitor, TRAIN, project), reason=Reason.UNAVAILABLE, named=[absent])


def test_training_that_diverges_is_bad_data(visitor: Visitor) -> None:
    """An absurd learning rate is the owner's right; what it makes of an update is not submitted."""
    ground = visitor.ground
    project = ground.project("diverging", **{"training.learning_rate": 1000.0, "training.momentum": 0.99})
    owner = ground.owner
    context = load_project(owner.client, owner.store, project, owner.cache)
    part = iris(SLOTS)[0][0]
    with pytest.raises(FairshareError, match="diverged") as refused:
        prepare(
            context,
            1,
            np.zeros(LENGTH, dtype=np.int32),
            Dataset(part.X * np.float32(1e30), part.y),
            Behaviour(),
            trainer=owner.address,
            seed=1,
            device="cpu",
            aggregator_index=0,
            aggregator_key=bytes(32),
        )
    assert refused.value.reason is Reason.BAD_DATA
