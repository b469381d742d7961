"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import api, chain, data, heads, node, spec, storage, updates, zk

MODULES = (updates, storage, spec, chain, heads, node, api, data, zk)
TARGETS: dict[str, Target] = {target.name: target for module in MODULES for target in module.TARGETS}
