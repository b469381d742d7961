"""Which path a project is on, for an aggregator."""

from __future__ import annotations

from aggregator.behaviour import SKETCHED, Behaviour
from aggregator.exact import ExactPath
from aggregator.path import Path
from aggregator.sketch.path import SketchPath
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import ProjectContext


def path_of(context: ProjectContext, behaviour: Behaviour) -> Path:
    """The steps of an aggregator that behaves so, on the project's path. BAD_INPUT for an attack of the other."""
    if context.is_sketched:
        return SketchPath(behaviour)
    if behaviour.attack in SKETCHED:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the attack {behaviour.attack} is for the sketch path",
            'attack a project with arithmetic.path = "sketch"',
        )
    return ExactPath(behaviour)
