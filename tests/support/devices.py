"""What torch can train on here: a test of the engine runs on all of it."""

from __future__ import annotations

import torch

HERE = [
    name
    for name, there in (
        ("cpu", True),
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    )
    if there
]
