"""Projects on the sketch path, played by hand with real proofs: rounds, and complaints in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from web3.types import TxReceipt

from gasmeter.stage import Play, Stage, account
from gasmeter.vectors import CHUNK_LENGTH, WIDTH, Long, Vectors
from marketplace.chain.types import NO_PERMIT, Settlement, SketchResult, UpdateChunk
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import mask, members
from marketplace.protocol.sketch import Sketcher
from zk import curve
from zk.curve import Point
from zk.opening import open_chunk
from zk.prover import SKETCH_LIMIT, Proof, prove

Sketch = NDArray[np.int64]


@dataclass(kw_only=True)
class SketchPlay(Play):
    """A project on the sketch path. `model` is the pattern of the newest one."""

    vectors: Vectors
    before: Long  # models: before the newest result, and after it
    after: Long
    sketches: Sequence[Sketch | None] = field(default_factory=tuple)  # of the newest result, by input

    @property
    def sketcher(self) -> Sketcher:
        """By the newest seed."""
        return Sketcher(self.meter.client.project(self.project).sketch_seed, WIDTH)

    def draw(self, name: str | None = None) -> TxReceipt:
        """The round's seed, once its window is closed."""
        state = self.meter.client.project(self.project)
        self.meter.wait_until(state.submit_deadline)
        return self.send(self.owner, self.calls.drawSketch(self.project, state.round), name)

    def post_sketched(self, name: str | None = None, aggregator: int = 0, left_out: int = 0) -> TxReceipt:
        """The result of a round in which all have submitted, or are in the batch; its seed is drawn."""
        sketcher, out = self.sketcher, members(left_out)
        self.sketches = [
            None if slot in out else sketcher.sketch(update.numbers)
            for slot, update in enumerate(self.vectors.updates)
        ]
        if self.terms.settlement is Settlement.PROVED:
            proof = self.proof().proof
        else:
            proof = b"".join(map(curve.to_bytes, self._commitments()))
        result = self.judged(gram(self.sketches), proof, left_out=left_out)
        updates = self.vectors.updates
        merged = [updates[slot].pattern for slot in members(result.merged)]
        self.model = apply_updates(self.model, merged)
        self.before, self.after, self.batch = self.after, self.vectors.long(self.model), None
        roots = [bytes(32) if slot in out else update.tree.root for slot, update in enumerate(updates)]
        seed = self.meter.client.project(self.project).sketch_seed
        sketch = SketchResult(tuple(roots), self.after.tree.root, seed, left_out)
        call = self.calls.postSketchResult(self.project, result.to_abi(), sketch.to_abi())
        return self.send(self.aggregators[aggregator], call, name)

    def proof(self) -> Proof:
        """Of the newest sketches."""
        return prove(self.stage.files, self.sketches, limit=SKETCH_LIMIT)

    def undone(self) -> None:
        """The newest result was undone."""
        self.model, self.after = np.asarray(self.before.pattern, dtype=np.int32), self.before

    def complain(self, chunks: Sequence[int], name: str) -> None:
        """The aggregator asks slots 0, 1, .. for one chunk each."""
        self.meter.wait_until(self.meter.client.project(self.project).submit_deadline)
        slots, known = mask(range(len(chunks))), self.arrived().to_abi()
        call = self.calls.complainChunks(self.project, self.round, 0, slots, list(chunks), known)
        self.send(self.aggregators[0], call, name)

    def answer_chunk(self, slot: int, chunk: int, name: str) -> None:
        """The trainer shows that chunk."""
        update = self.vectors.updates[slot]
        leaf, opened = update.tree.leaves[chunk], self.open_chunk(update, chunk)
        given = UpdateChunk(
            update.tree.root, Point(leaf.x, leaf.y), opened.packed, update.tree.path(chunk), opened.proof
        )
        call = self.calls.answerChunk(self.project, self.round, 0, slot, given.to_abi())
        self.send(self.seated(slot), call, name)

    def open_chunk(self, vector: Long, chunk: int) -> Any:
        """The opening of a chunk's point."""
        return open_chunk(self.stage.files, vector.chunk(chunk), circuit=self.terms.circuit)

    def _commitments(self) -> list[Point]:
        committer = self.vectors.committer
        return [
            committer.zero if sketch is None else committer.sketch_commitment(sketch)
            for sketch in self.sketches
        ]


def create_sketched(stage: Stage, vectors: Vectors, name: str | None = None, **changes: Any) -> SketchPlay:
    """Posts a project on the sketch path; nobody has joined."""
    terms = stage.terms(
        chunks=vectors.chunks,
        chunk_length=CHUNK_LENGTH,
        initial_model=vectors.model.commitment,
        **changes,
    )
    meter = stage.meter
    call = meter.client.market.functions.create(terms.to_abi(), NO_PERMIT.to_abi())
    meter.send(account(0), call, name, terms.reward + terms.reveal_bond)
    model = np.asarray(vectors.model.pattern, dtype=np.int32)
    number = meter.client.project_count()
    return SketchPlay(stage, number, terms, model, vectors=vectors, before=vectors.model, after=vectors.model)
