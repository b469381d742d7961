"""Tasks: what a flat vector of trainable parameters means as a model (docs/tasks.md).

A task is a plug-in of the entry-point group `fairshare.tasks`: a callable from the spec's [task] section to a
`Task`.
"""

from marketplace.learning.tasks.cnn import cnn
from marketplace.learning.tasks.frozen_backbone import frozen_backbone
from marketplace.learning.tasks.loading import check_usable, load, task_of
from marketplace.learning.tasks.lora import lora
from marketplace.learning.tasks.mlp import mlp
from marketplace.learning.tasks.softmax import softmax
from marketplace.learning.tasks.tabular import tabular
from marketplace.learning.tasks.task import Floats, Task

__all__ = [
    "Floats",
    "Task",
    "check_usable",
    "cnn",
    "frozen_backbone",
    "load",
    "lora",
    "mlp",
    "softmax",
    "tabular",
    "task_of",
]
