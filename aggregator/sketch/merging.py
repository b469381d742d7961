"""A round on the sketch path: judged by its sketches, merged an update at a time, published with its leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from aggregator.behaviour import Behaviour
from aggregator.collecting import Case
from aggregator.merging import inputs_of, judged
from aggregator.sketch.kept import KeptSketches
from marketplace.chain.types import Project, RoundResult, SketchResult
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import ModelReference
from marketplace.node.sketch.artifacts import Shelf
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, mask
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.reasons import Purpose
from marketplace.updates.codec import pack_model
from marketplace.updates.leaves import pack_leaves
from marketplace.updates.manifest import Manifest


class SketchMade:
    """See `aggregator.path.Made`."""

    def __init__(
        self,
        node: ProjectDaemon,
        project: Project,
        case: Case,
        kept: KeptSketches,
        judgement: tuple[Gram, Judgement],
        model: NDArray[np.int32],
        tree: ChunkTree,
    ) -> None:
        self._node, self._project, self._case, self._kept = node, project, case, kept
        self._gram, self._judgement = judgement
        self._model, self._tree = model, tree

    @property
    def gram(self) -> Gram:
        return self._gram

    @property
    def judgement(self) -> Judgement:
        return self._judgement

    def publish(self, *, serve: bool) -> bytes:
        """The manifest's digest; leaves and model go to storage before it, one after another."""
        context = self._node.context
        why = context.why(self._project.round, Purpose.MODEL)

        def store(data: bytes) -> str:
            return context.store.add(data, why) if serve else cid_of(data)

        of_merged = [self._kept.leaves(self._case.index, slot) for slot in self._judgement.merged]
        updates = store(b"".join(map(pack_leaves, of_merged))) if of_merged else None
        leaves = store(pack_leaves(self._tree.leaves))
        manifest = Manifest(store(pack_model(self._model)), leaves, updates)
        return digest_of(store(manifest.to_bytes()))

    def call(self, result: RoundResult) -> ContractFunction:
        context, usable = self._node.context, self._case.usable()
        roots = tuple(
            self._kept.root(self._case.index, slot) if slot in usable else bytes(32)
            for slot in range(inputs_of(context.rules))
        )
        seed, left_out = self._project.sketch_seed, mask(self._case.left_out)
        sketch = SketchResult(roots, self._tree.root, seed, left_out)
        return context.client.market.functions.postSketchResult(
            context.project, result.to_abi(), sketch.to_abi()
        )


def make(
    node: ProjectDaemon,
    behaviour: Behaviour,
    project: Project,
    case: Case,
    reference: ModelReference,
    timeout_s: float,
) -> SketchMade:
    """Judge and merge what a case has. `reference`: the model of before; UNAVAILABLE while it is not to be had."""
    context = node.context
    kept = KeptSketches(node.journal, context, project.round)
    gram, judgement = judged(context.rules, case.usable(), case.arrived.positions, behaviour)
    shelf = Shelf(context, node.journal, timeout_s)
    before = shelf.tree(reference)
    merged = judgement.merged
    model = apply_updates(shelf.model(reference), (kept.update(case.index, slot) for slot in merged))
    false = behaviour.merged(model, context.chunk_length) if merged else None
    if false is not None:
        return SketchMade(
            node, project, case, kept, (gram, judgement), false, context.tree_committer.tree(false)
        )
    leaves = [kept.leaves(case.index, slot) for slot in merged]
    tree = context.tree_committer.moved_tree(model, before.leaves, leaves)
    return SketchMade(node, project, case, kept, (gram, judgement), model, tree)
