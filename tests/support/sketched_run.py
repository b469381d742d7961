"""Projects on the sketch path on a real chain, by hand: what `market_run` and `market_results` do, with its own calls.

Circuit of 6 sketches of 256 numbers; vectors of three chunks of 512. `Lie` is what a result may say that is not true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from eth_account.signers.local import LocalAccount
from numpy.typing import NDArray

from marketplace.chain import events as e
from marketplace.chain.sketch_types import NO_LEAF, SUM_SLOT
from marketplace.chain.types import (
    ChallengeKind,
    RoundResult,
    Settlement,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchResult,
    SketchStatement,
    UpdateChunk,
)
from marketplace.node.arrivals import received
from marketplace.node.outcomes import outcomes, results_of, sketch_statements
from marketplace.node.project import rules_of
from marketplace.node.seats import cohort_trainers
from marketplace.node.signatures import signed_by
from marketplace.node.sketch.answers import leaf_path
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.protocol.field import FIELD_MODULUS, to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import judge, mask
from marketplace.protocol.sketch import Sketcher
from marketplace.protocol.sketch_check import sketch_challenge
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.cid import digest_of
from marketplace.updates.codec import pack_model
from marketplace.updates.leaves import pack_leaves
from marketplace.updates.manifest import Manifest
from marketplace.updates.sketch_values import chunk_values
from marketplace.updates.tree_committer import TreeCommitter
from tests.support import market_run as run
from tests.support.market_run import Play, Stage, Update
from zk import curve
from zk.opening import open_chunk, open_value
from zk.prover import SKETCH_LIMIT, prove

SLOTS, WIDTH, CHUNK_LENGTH, CHUNKS = 6, 256, 512, 3
LENGTH = CHUNKS * CHUNK_LENGTH
_PARAMETERS = {"features": 254, "classes": 6}

E = TypeVar("E", e.ChunkQuestioned, e.SketchQuestioned)
Vector = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Lie:
    """What a result says that is not true.

    `sketches`: others by slot, int64 [k]; `model`: by what it differs from the merged one, int32 [d]; `leaves`: what
    becomes of the new model's, which the root is of; `updates`: files of leaves by slot, of which slot's.
    """

    sketches: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)
    model: NDArray[np.int32] | None = None
    leaves: Callable[[tuple[Leaf, ...]], tuple[Leaf, ...]] = lambda leaves: leaves
    updates: Callable[[dict[int, bytes]], dict[int, bytes]] = lambda updates: updates


def spec_for(stage: Stage, **changes: Mapping[str, Any]) -> ProjectSpec:
    """A spec on the sketch path; `changes` as of `market_run.spec_for`."""
    arithmetic = {"path": "sketch", "max_norm_squared": 4_000_000} | dict(changes.pop("arithmetic", {}))
    return run.spec_for(
        stage,
        task=_PARAMETERS,
        arithmetic=arithmetic,
        sketch={"chunk_length": CHUNK_LENGTH, "chunks": CHUNKS},
        **changes,
    )


def trees(play: Play) -> TreeCommitter:
    """The project's committer."""
    assert isinstance(play.committer, TreeCommitter)
    return play.committer


def draw(play: Play) -> None:
    """Closes the window and draws the round's seed, once."""
    run.close_window(play)
    state = play.client.project(play.project)
    if state.seed_round != state.round:
        run.send(play.client, play.owner, play.calls.drawSketch(play.project, state.round))


def sketcher(play: Play) -> Sketcher:
    """By the newest seed."""
    return Sketcher(play.client.project(play.project).sketch_seed, WIDTH)


def complain(play: Play, aggregator: LocalAccount, chunks: Mapping[int, int], cohort: int = 0) -> None:
    """The aggregator asks each slot for a chunk of its update; slot K is the reference."""
    run.close_window(play)
    named = [chunks[slot] for slot in sorted(chunks)]
    known = run.arrived(play, cohort).to_abi()
    call = play.calls.complainChunks(play.project, play.round, cohort, mask(chunks), named, known)
    run.send(play.client, aggregator, call)


def answer(play: Play, account: LocalAccount, slot: int, chunk: int, cohort: int = 0) -> None:
    """Puts that chunk of an update on chain."""
    update = play.reference if slot == play.terms.slots else play.updates[cohort, slot]
    assert update is not None
    tree = trees(play).tree(update)
    opening = open_chunk(play.stage.files, chunk_of(update, chunk), circuit=play.terms.circuit)
    leaf = tree.leaves[chunk]
    point = curve.Point(leaf.x, leaf.y)
    given = UpdateChunk(tree.root, point, opening.packed, tree.path(chunk), opening.proof)
    call = play.calls.answerChunk(play.project, play.round, cohort, slot, given.to_abi())
    run.send(play.client, account, call)


def result_of(
    play: Play, cohort: int = 0, *, left_out: Iterable[int] = (), lie: Lie | None = None
) -> tuple[RoundResult, SketchResult]:
    """The result of a cohort's round, and its files in the store; the seed is drawn before."""
    draw(play)
    lie, out = lie or Lie(), set(left_out)
    known, state, terms = run.arrived(play, cohort), play.client.project(play.project), play.terms
    held = play.client.cohort(play.project, cohort)
    seated = cohort_trainers(play.client, play.project, state, terms.slots, state.round, cohort)
    is_signed = signed_by(play.client, play.project, state.round, seated)
    said = received(known, terms.slots, held.batched, is_signed)
    gone = held.complained | mask(out)
    present = [slot for slot in said.slots if not gone >> slot & 1]
    reference = state.reference_round == state.round and not gone >> terms.slots & 1
    updates = _updates(play, cohort, present, reference)
    by_seed = sketcher(play)
    sketches = [None if update is None else by_seed.sketch(update) for update in updates]
    for slot, false in lie.sketches.items():
        sketches[slot] = false
    matrix = gram(sketches)
    verdict = judge(rules_of(terms), matrix, present, said.positions, reference_present=reference)
    zero, committer = play.stage.files.zero, trees(play)
    points = [zero if sketch is None else committer.sketch_commitment(sketch) for sketch in sketches]
    proof = b"".join(map(curve.to_bytes, points))
    if terms.settlement is Settlement.PROVED:
        proof = prove(play.stage.files, sketches, limit=SKETCH_LIMIT).proof
    merged = [update for slot in verdict.merged if (update := updates[slot]) is not None]
    play.model = apply_updates(play.model, merged)
    if lie.model is not None:
        play.model = play.model + lie.model
    tree = ChunkTree(lie.leaves(committer.tree(play.model).leaves))
    manifest = _publish(play, cohort, tree, {slot: updates[slot] for slot in verdict.merged}, lie)
    result = RoundResult(
        round=play.round,
        cohort=cohort,
        merged=mask(verdict.merged),
        median_score_slot=verdict.median_score_slot,
        median_norm_slot=verdict.median_norm_slot,
        model=digest_of(manifest),
        before=curve.x_bytes(state.model),
        neighbours=tuple(mask(near) for near in verdict.neighbours),
        gram=tuple(to_felt(entry) for entry in matrix.triangle),
        arrivals=known,
        proof=proof,
    )
    roots = tuple(bytes(32) if update is None else committer.tree(update).root for update in updates)
    return result, SketchResult(roots, tree.root, state.sketch_seed, mask(out))


def post_result(
    play: Play,
    account: LocalAccount,
    cohort: int = 0,
    *,
    left_out: Iterable[int] = (),
    lie: Lie | None = None,
) -> None:
    """Posts a cohort's result."""
    result, sketch = result_of(play, cohort, left_out=left_out, lie=lie)
    call = play.calls.postSketchResult(play.project, result.to_abi(), sketch.to_abi())
    run.send(play.client, account, call)


def statements(play: Play) -> list[SketchStatement]:
    """What the results of the newest round that has any stated."""
    client, project = play.client, play.project
    number = client.project(project).outcome_round
    found = results_of(e.fetch(client, [e.ResultPosted], project), number)
    block = client.latest_block().number
    return sketch_statements(client, project, found, block)


def ask(play: Play, account: LocalAccount, kind: ChallengeKind, *, slot: int = 0, chunk: int = 0) -> None:
    """Asks about the last round's result, with a deposit; of one cohort."""
    run.deposit(play, account, play.terms.complaint_deposit)
    question = SketchQuestion(cohort=0, slot=slot, chunk=chunk, statements=tuple(statements(play)))
    known = [outcome.to_abi() for outcome in outcomes(play.client, play.project)]
    run.send(
        play.client, account, play.calls.challengeSketch(play.project, int(kind), question.to_abi(), known)
    )


def ask_sum(play: Play, account: LocalAccount) -> None:
    """Doubts the sum of the merged sketches."""
    ask(play, account, ChallengeKind.SKETCH, slot=SUM_SLOT)


def show(play: Play, account: LocalAccount, updates: Mapping[int, Update]) -> None:
    """Answers the question of a chunk; `updates`: those of the round asked about, by slot."""
    (question,) = _asked(play, e.ChunkQuestioned)
    facts = question.facts
    (statement,) = statements(play)
    committer, chunk = trees(play), facts.chunk
    before, after = committer.tree(play.models[facts.round]), committer.tree(play.model)
    merged = [slot for slot in range(SLOTS) if statement.merged >> slot & 1]
    opening = open_chunk(play.stage.files, chunk_of(play.model, chunk), circuit=play.terms.circuit)
    shown = ShownChunk(
        before=leaf_path(before, chunk),
        merged=tuple(leaf_path(committer.tree(updates[slot]), chunk) for slot in merged),
        packed=opening.packed,
        path=after.path(chunk),
        proof=opening.proof,
    )
    call = play.calls.showChunk(play.project, facts.to_abi(), shown.to_abi())
    run.send(play.client, account, call)


def answer_sketch(play: Play, account: LocalAccount, vector: Vector, *, shifted: int = 0) -> list[int]:
    """Answers the question of a sketch; `shifted`: by how much the first value is false, the second makes up for it."""
    facts = facts_asked(play)
    z = _z(play, facts)
    values = chunk_values(sketcher(play), vector, CHUNK_LENGTH, play.stage.files.logrows, z)
    values = [(values[0] + shifted) % FIELD_MODULUS, (values[1] - shifted) % FIELD_MODULUS, *values[2:]]
    _, proof = open_value(play.stage.files, sketcher(play).sketch(vector), z)
    call = play.calls.answerSketch(play.project, facts.to_abi(), values, tuple(proof))
    run.send(play.client, account, call)
    return values


def refute(play: Play, account: LocalAccount, values: list[int], update: Update | None = None) -> None:
    """Shows that the first value is false: by the models around the round, or by the update asked about."""
    facts, committer = facts_asked(play), trees(play)
    if update is not None:
        tree = committer.tree(update)
        evidence = SketchEvidence(NO_LEAF, b"", leaf_path(tree, 0), packed(chunk_of(update, 0)))
    else:
        old, new = play.models[facts.round], play.model
        evidence = SketchEvidence(
            before=leaf_path(committer.tree(old), 0),
            packed_before=packed(chunk_of(old, 0)),
            leaf=leaf_path(committer.tree(new), 0),
            packed=packed(chunk_of(new, 0)),
        )
    call = play.calls.refuteSketch(play.project, facts.to_abi(), 0, values, evidence.to_abi())
    run.send(play.client, account, call)


def close(play: Play, account: LocalAccount) -> None:
    """Lets the time for a refutation pass, and ends the question."""
    run.pass_time(play.client, play.client.challenge(play.project).deadline)
    run.send(play.client, account, play.calls.closeSketch(play.project))


def facts_asked(play: Play) -> SketchFacts:
    """The newest question of a sketch."""
    return _asked(play, e.SketchQuestioned)[-1].facts


def chunk_of(vector: Vector, chunk: int) -> Vector:
    """Chunk j of a vector."""
    return vector[chunk * CHUNK_LENGTH : (chunk + 1) * CHUNK_LENGTH]


def packed(chunk: Vector) -> bytes:
    """As it is put on chain."""
    return chunk.astype(chunk.dtype.newbyteorder("<")).tobytes()


def _updates(play: Play, cohort: int, present: Iterable[int], reference: bool) -> list[Update | None]:
    there = set(present)
    rows = [play.updates[cohort, slot] if slot in there else None for slot in range(play.terms.slots)]
    if rules_of(play.terms).reference:
        rows.append(play.reference if reference else None)
    return rows


def _publish(play: Play, cohort: int, tree: ChunkTree, merged: Mapping[int, Update | None], lie: Lie) -> str:
    """Model, leaves and manifest of a result in the store; the manifest's CID. `blobs` names them by round."""
    store, number = play.stage.store, play.round
    name = f"{number}" if play.terms.cohorts == 1 else f"{number}.{cohort}"
    files = lie.updates(
        {
            slot: pack_leaves(trees(play).tree(update).leaves)
            for slot, update in merged.items()
            if update is not None
        }
    )
    updates = store.add(b"".join(files.values())) if files else None
    model, leaves = store.add(pack_model(play.model)), store.add(pack_leaves(tree.leaves))
    manifest = store.add(Manifest(model, leaves, updates).to_bytes())
    play.blobs |= {f"model {name}": model, f"leaves {name}": leaves, f"manifest {name}": manifest}
    if updates is not None:
        play.blobs[f"leaves of updates {name}"] = updates
    return manifest


def _asked(play: Play, kind: type[E]) -> list[E]:
    return e.fetch(play.client, [kind], play.project, play.client.project(play.project).outcome_round)


def _z(play: Play, facts: SketchFacts) -> int:
    x, y = facts.commitment
    return sketch_challenge(play.terms.circuit, x, y, facts.before, facts.root, facts.seed)
