"""Results on the sketch path against storage: manifest, leaves, model, and what the merged sketches add up to.

The chain holds a root only. That it is the old model's moved by what the trainers committed to is seen here, chunk by
chunk (docs/sketch.md, "Who looks at what").
"""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.audit.report import UNCHECKABLE, failed, unchecked
from marketplace.audit.rounds import CohortReplay
from marketplace.audit.shelf import Shelf
from marketplace.audit.steps import hold_length
from marketplace.chain.events import ResultPosted
from marketplace.errors import FairshareError, Reason
from marketplace.node.sketch.sums import sketch_of_move
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.protocol.krum import members
from marketplace.protocol.sketch import Sketcher
from marketplace.updates.manifest import Manifest
from marketplace.updates.tree_committer import points_of
from zk.chunk_sums import sums_hold
from zk.curve import Point, moved

_NO_LEAVES = {Reason.AUDIT_FAILED, Reason.INTEGRITY, Reason.TOO_LARGE, *UNCHECKABLE}


def check_manifest(shelf: Shelf, cohort: CohortReplay) -> str:
    """The manifest that the result names has leaves of the updates that were merged, where any were."""
    posted = _posted(cohort)
    named, merged = shelf.manifest(posted.model).updates, members(posted.merged)
    if (named is not None) != bool(merged):
        names = "no leaves of updates" if named is None else "leaves of updates"
        raise failed(f"the manifest names {names}, but {len(merged)} were merged")
    return f"it names model, leaves, and those of {len(merged)} merged updates"


def check_leaves(shelf: Shelf, cohort: CohortReplay, before: CohortReplay | None, initial: str) -> str:
    """Every chunk's point moved by exactly the merged updates' points, all of them under their roots on chain.

    `before`: the result that the model was moved from; None: from the initial one, whose CID is `initial`.
    """
    manifest = _manifest(shelf, cohort)
    after = _under(shelf, manifest.leaves, cohort.model, "the new model's")
    updates = _of_merged(shelf, cohort, manifest)
    wrong = sums_hold(
        points_of(_tree_of(shelf, before, initial).leaves),
        points_of(after.leaves),
        [points_of(tree.leaves) for tree in updates],
        shelf.committer.zero,
    )
    if wrong is not None:
        raise failed(f"chunk {wrong} of the new model is not the old one moved by the merged updates")
    return f"each of {shelf.chunks} chunks moved by exactly the chunks of {len(updates)} merged updates"


def check_published(shelf: Shelf, cohort: CohortReplay) -> str:
    """The published model is the one under the new root: bytes by their hashes, points by commitments made anew."""
    cid = _manifest(shelf, cohort).model
    model, leaves = shelf.model(cid), _leaves_if_any(shelf, cohort)
    if leaves is None:
        return check_alone(shelf, cid, cohort.model)
    if not shelf.committer.agrees(model, leaves.leaves):
        made = shelf.committed(cid).leaves
        wrong = next(j for j, leaf in enumerate(made) if leaf != leaves.leaves[j])
        what = "bytes" if made[wrong].hash != leaves.leaves[wrong].hash else "point"
        raise failed(f"chunk {wrong} of the model {cid} is not the one under the root: another {what}")
    return f"the model {cid} is the one under the root, each point the commitment of its chunk"


def check_alone(shelf: Shelf, cid: str, commitment: Point) -> str:
    """All chunks of a model committed to anew give the root on chain: nothing else is believed."""
    if shelf.committer.commitment(shelf.committed(cid)) != commitment:
        raise failed(f"the model {cid} is not the one under the root on chain")
    return f"the model {cid}, all its chunks committed to anew, is the one under the root on chain"


def check_final(shelf: Shelf, cohort: CohortReplay, commitment: Point) -> str:
    """The model that a manifest names, against `Project.model` alone."""
    return check_alone(shelf, _manifest(shelf, cohort).model, commitment)


def check_sum(
    shelf: Shelf,
    results: Sequence[CohortReplay],
    before: CohortReplay | None,
    initial: str,
    sketcher: Sketcher,
) -> str:
    """The merged sketches of a round's results add up to that of what the model moved by, which is not too long."""
    unread = [cohort for cohort in results if cohort.settlement is None]
    if unread:
        raise unchecked(unread[0].unread or "a result's sketches could not be read")
    points = [cohort.sketches[slot] for cohort in results for slot in members(_posted(cohort).merged)]
    zero = shelf.committer.zero
    after = shelf.model(_manifest(shelf, results[-1]).model)
    start = shelf.model(initial if before is None else _manifest(shelf, before).model)
    sketch = sketch_of_move(sketcher, start, after)
    if shelf.committer.sketch_commitment(sketch) != moved(zero, points, zero):
        raise failed("the merged sketches do not add up to the sketch of what the model moved by")
    hold_length(sum(value**2 for value in sketch.tolist()), results)
    return f"{len(points)} merged sketches add up to the sketch of what the model moved by"


def _posted(cohort: CohortReplay) -> ResultPosted:
    if cohort.posted is None:
        raise unchecked("there is no result")
    return cohort.posted


def _manifest(shelf: Shelf, cohort: CohortReplay) -> Manifest:
    return shelf.manifest(_posted(cohort).model)


def _of_merged(shelf: Shelf, cohort: CohortReplay, manifest: Manifest) -> list[ChunkTree]:
    """The leaves of the merged updates, each under its root on chain."""
    merged = members(_posted(cohort).merged)
    if not merged:
        return []
    if manifest.updates is None:
        raise failed("the manifest names no leaves of the merged updates")
    if max(merged) >= len(cohort.commitments):
        raise unchecked(cohort.unread or "the result's roots could not be read")
    trees = shelf.update_leaves(manifest.updates, len(merged))
    for slot, tree in zip(merged, trees, strict=True):
        if shelf.committer.commitment(tree) != cohort.commitments[slot]:
            raise failed(
                f"slot {slot}'s leaves, in {manifest.updates}, are not those under its root on chain"
            )
    return trees


def _under(shelf: Shelf, cid: str, commitment: Point, whose: str) -> ChunkTree:
    tree = shelf.leaves(cid)
    if shelf.committer.commitment(tree) != commitment:
        raise failed(f"{whose} leaves, {cid}, are not those under its root on chain")
    return tree


def _tree_of(shelf: Shelf, before: CohortReplay | None, initial: str) -> ChunkTree:
    """The leaves of the model that a result began with: published, or made anew where that cannot be used."""
    if before is None:
        return shelf.committed(initial)
    leaves = _leaves_if_any(shelf, before)
    if leaves is not None:
        return leaves
    made = shelf.committed(_manifest(shelf, before).model)
    if shelf.committer.commitment(made) != before.model:
        raise unchecked("neither leaves nor bytes of the model before it are there")
    return made


def _leaves_if_any(shelf: Shelf, cohort: CohortReplay) -> ChunkTree | None:
    """The published leaves under a result's root; None where they are false, or nobody serves them.

    Whether they are has a check of its own (`check_leaves`).
    """
    try:
        return _under(shelf, _manifest(shelf, cohort).leaves, cohort.model, "the model's")
    except FairshareError as error:
        if error.reason not in _NO_LEAVES:
            raise
        return None
