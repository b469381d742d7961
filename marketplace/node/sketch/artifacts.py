"""What results on the sketch path name in storage: models with their leaves, leaves of merged updates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.manifests import fetch_manifest, fetch_tree, fetch_trees
from marketplace.node.models import ModelReference, fetch_reference
from marketplace.node.project import ProjectContext
from marketplace.node.sketch.record import CohortRecord
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.updates.leaves import pack_leaves, unpack_leaves
from zk.curve import Point

LEAVES = "leaves:"  # journal, before a root: of a model whose leaves nobody serves
_FETCHABLE = (Reason.UNAVAILABLE, Reason.INTEGRITY)


@dataclass
class Shelf:
    """What is fetched for one look at a round, each thing once."""

    context: ProjectContext
    journal: Journal
    timeout_s: float  # for each of them
    _models: dict[Point, NDArray[np.int32]] = field(default_factory=dict)
    _trees: dict[Point, ChunkTree] = field(default_factory=dict)

    def model(self, reference: ModelReference) -> NDArray[np.int32]:
        """A published model, its bytes those under its root. Raises UNAVAILABLE, INTEGRITY."""
        root = reference.commitment
        if root not in self._models:
            self._models[root] = fetch_reference(self.context, reference, self.timeout_s)
        return self._models[root]

    def tree(self, reference: ModelReference) -> ChunkTree:
        """The leaves of a published model: as published, or made from it, which takes long, and kept."""
        root = reference.commitment
        if root not in self._trees:
            self._trees[root] = self._tree(reference)
        return self._trees[root]

    def _tree(self, reference: ModelReference) -> ChunkTree:
        context, root = self.context, f"{LEAVES}{reference.commitment.x:064x}"
        kept = self.journal.get_blob(context.project, 0, root)
        if kept is not None:
            return ChunkTree(unpack_leaves(kept, context.chunks))
        if reference.round:
            try:
                manifest = fetch_manifest(context, reference.cid, self.timeout_s)
                return fetch_tree(context, manifest.leaves, reference.commitment, self.timeout_s)
            except FairshareError as error:
                if error.reason not in _FETCHABLE:
                    raise
        tree = context.tree_committer.tree(self.model(reference))
        if context.tree_committer.commitment(tree) != reference.commitment:
            raise FairshareError(
                Reason.INTEGRITY, f"the model {reference.cid} has other points than its root says"
            )
        self.journal.put_blob(context.project, 0, root, pack_leaves(tree.leaves))
        return tree

    def new_tree(self, result: CohortRecord) -> ChunkTree:
        """As `tree`, of the model that a result made."""
        return self.tree(reference_of(self.context, result))

    def update_trees(self, result: CohortRecord) -> dict[int, ChunkTree]:
        """The leaves of a result's merged updates, by slot. Raises UNAVAILABLE, INTEGRITY."""
        manifest = fetch_manifest(self.context, result.manifest, self.timeout_s)
        if manifest.updates is None:
            raise FairshareError(
                Reason.INTEGRITY, f"the manifest {result.manifest} names no leaves of the merged updates"
            )
        due = [commitment_of(self.context, result.statement.roots[slot]) for slot in result.merged]
        trees = fetch_trees(self.context, manifest.updates, due, self.timeout_s)
        return dict(zip(result.merged, trees, strict=True))


def reference_of(context: ProjectContext, result: CohortRecord) -> ModelReference:
    """The model that a result made."""
    return ModelReference(result.posted.round, result.manifest, commitment_of(context, result.after))


def commitment_of(context: ProjectContext, root: bytes) -> Point:
    """(root, J)."""
    return Point(int.from_bytes(root, "big"), context.chunks)
