"""What the flat vector means: prototypes [classes * per_class, features], row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketplace.learning import draws
from marketplace.learning.tasks import Floats, Task
from marketplace.learning.tasks.layers import vector_of, with_vector
from marketplace.learning.tasks.options import integer, number, refuse_unknown
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn

DRAWN_FOR = 0x70726F74  # sets our draws apart from the built-in tasks'


@dataclass(frozen=True)
class Prototypes:
    """Rows belong to the class of the nearest prototype; `sharpness`: of that choice."""

    features: int
    classes: int
    per_class: int
    sharpness: float
    name = "prototypes"

    @property
    def length(self) -> int:
        """Numbers of all prototypes."""
        return self.classes * self.per_class * self.features

    def initial(self, seed: int) -> Floats:
        """Prototypes near the middle of [0, 1], drawn from `seed`. No numpy or torch generator: these may change."""
        return 0.5 + draws.uniform((DRAWN_FOR, seed), self.length, 0.1)

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features] to logits [n, classes]."""
        from prototypes.network import Nearest

        return with_vector(Nearest(self.features, self.classes, self.per_class, self.sharpness), vector)

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        return vector_of(module)


def prototypes(section: TaskSection) -> Task:
    """Nearest learned prototype. Options: `per_class` (2): how many each class has; `sharpness` (1.0)."""
    refuse_unknown(section, ("per_class", "sharpness"))
    return Prototypes(
        section.features,
        section.classes,
        integer(section, "per_class", 2, 1, 256),
        number(section, "sharpness", 1.0, 0.001, 1000.0),
    )
