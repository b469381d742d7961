"""What a trainer does differently on a project's path, exact or sketch; chosen once for a project."""

from __future__ import annotations

from typing import Protocol

from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.project import ProjectContext
from trainer_node import challenging, sketch_challenging
from trainer_node.behaviour import SKETCHED, Behaviour
from trainer_node.challenging import Doubt


class Path(Protocol):
    """One of the two paths."""

    trains_ahead: bool

    def watch(self, node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block) -> None:
        """Look at the round that has just closed, and challenge it where something is wrong. `number`: ours."""


class ExactPath:
    """Proofs about the updates themselves."""

    trains_ahead = True

    def watch(self, node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block) -> None:
        challenging.watch_results(node, project, number, doubt, block)


class SketchPath:
    """Proofs about sketches of the updates (docs/sketch.md). `contests`: whether to look at what is said of ours."""

    trains_ahead = False  # no aggregator shows a model before its result

    def __init__(self, contests: bool) -> None:
        self._contests = contests

    def watch(self, node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block) -> None:
        sketch_challenging.watch_results(node, project, number, doubt, block, contests=self._contests)


def path_of(context: ProjectContext, behaviour: Behaviour) -> Path:
    """The steps of a trainer that behaves so, on the project's path. BAD_INPUT for an attack of the other one."""
    if context.is_sketched:
        return SketchPath(behaviour.contests)
    if behaviour.attack in SKETCHED:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the attack {behaviour.attack} is for the sketch path",
            'attack a project with arithmetic.path = "sketch"',
        )
    return ExactPath()
