"""ezkl as a module without types: the stubs that it ships contradict its behaviour (defaults, points)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ezkl: Any = import_module("ezkl")
