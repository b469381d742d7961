"""The sizes of storage repos against their cap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from marketplace.cli.checks.finding import Finding, State
from marketplace.node.options import Settings
from marketplace.node.session import REPO
from marketplace.storage.inventory import Inventory
from marketplace.storage.room import shown_size
from marketplace.storage.store import ContentStore

_NEARLY_FULL = 0.9


def repos(settings: Settings) -> Finding:
    """What the node that is named has stored, or each embedded one below the state directory."""
    cap = settings.storage_max
    if settings.storage is not None:
        sizes = [(settings.storage, ContentStore(settings.storage).used())]
    else:
        sizes = [(name, Inventory(path).stored()[1]) for name, path in _embedded(settings.state_dir)]
    limit = "no cap" if cap is None else f"of {shown_size(cap)} each"
    said = ", ".join(f"{name} {shown_size(size)}" for name, size in sizes) or "nothing stored yet"
    said = f"{said} ({limit})"
    if cap is not None and any(size >= _NEARLY_FULL * cap for _, size in sizes):
        advice = "raise --storage-max, or shorten --keep-days: what does not fit is refused"
        return Finding("storage size", State.WARNING, said, advice)
    return Finding("storage size", State.OK, said)


def _embedded(state_dir: Path) -> Iterator[tuple[str, Path]]:
    """Repos of roles, which are below chain and market, and of commands that only read."""
    for pattern in (f"*/*/{REPO}", f"*/{REPO}"):
        for path in sorted(state_dir.glob(pattern)):
            if (path / "blocks").is_dir():
                yield path.parent.name, path
