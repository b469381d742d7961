"""Tasks: what a flat vector of trainable parameters means as a model (docs/tasks.md).

A task is a plug-in of the entry-point group `fairshare.tasks`: a callable from the spec's [task] section to a
`Task`.
"""

from marketplace.learning.tasks.cnn import cnn
from marketplace.learning.tasks.loading import load, task_of
from marketplace.learning.tasks.mlp import mlp
from marketplace.learning.tasks.softmax import softmax
from marketplace.learning.tasks.tabular import tabular
from marketplace.learning.tasks.task import Floats, Task

__all__ = ["Floats", "Task", "cnn", "load", "mlp", "softmax", "tabular", "task_of"]
