"""Where test circuits are kept between runs: setup never happens twice."""

from __future__ import annotations

from pathlib import Path

from marketplace.chain.compile import project_root


def circuit_cache() -> Path:
    """A cache below build/, shared by all suites; zk locks it across processes."""
    return project_root() / "build" / "test-circuits"
