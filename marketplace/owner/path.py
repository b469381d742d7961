"""What an owner's node does differently on its project's path, exact or sketch; chosen once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from marketplace.chain.types import Block, Project
from marketplace.node import showing
from marketplace.node.challenging import AFTER_TRAINERS, guard_model
from marketplace.node.project import ProjectContext
from marketplace.node.sketch import showing as sketch_showing
from marketplace.node.sketch.own import OwnInput
from marketplace.node.sketch.watching import guard_round

if TYPE_CHECKING:
    from marketplace.owner.node import OwnerNode


class Path(Protocol):
    """One of the two paths."""

    def guard(self, node: OwnerNode, project: Project, block: Block) -> None:
        """Look at the round that has just closed, and challenge it where something is wrong."""

    def stand_in(self, node: OwnerNode, project: Project, block: Block) -> None:
        """Show what an aggregator has left unshown, where it is time and we have it."""


class ExactPath:
    """Proofs about the updates themselves."""

    def guard(self, node: OwnerNode, project: Project, block: Block) -> None:
        guard_model(node, project, AFTER_TRAINERS, block)

    def stand_in(self, node: OwnerNode, project: Project, block: Block) -> None:
        showing.stand_in(node.context, node.sender, node.log, project, block, project.aggregator_count)


class SketchPath:
    """Proofs about sketches of the updates (docs/sketch.md)."""

    def guard(self, node: OwnerNode, project: Project, block: Block) -> None:
        def own(round_: int) -> OwnInput | None:
            return None if node.reference is None else node.reference.own_input(round_)

        guard_round(node, project, AFTER_TRAINERS, own, block)

    def stand_in(self, node: OwnerNode, project: Project, block: Block) -> None:
        turn = project.aggregator_count
        sketch_showing.stand_in(node.context, node.sender, node.journal, node.log, project, block, turn)


def path_of(context: ProjectContext) -> Path:
    """The steps of an owner on the project's path."""
    return SketchPath() if context.is_sketched else ExactPath()
