"""Which path a project is on, for an aggregator."""

from __future__ import annotations

from aggregator.exact import ExactPath
from aggregator.path import Path
from aggregator.sketch.path import SketchPath
from marketplace.node.project import ProjectContext


def path_of(context: ProjectContext) -> Path:
    """Its steps on the project's path."""
    return SketchPath() if context.is_sketched else ExactPath()
