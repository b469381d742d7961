"""What a node keeps for itself between runs: its seed. Its encryption keys: `marketplace.node.keyring`."""

from __future__ import annotations

import secrets

from marketplace.node.journal import NODE, Journal

SEED = "seed"


def training_seed(journal: Journal, chosen: int | None) -> int:
    """The node's seed, below 2^32: as chosen, or drawn once; what the journal holds already wins."""
    kept = journal.get(NODE, 0, SEED)
    if kept is None:
        kept = secrets.randbits(32) if chosen is None else chosen
        journal.put(NODE, 0, SEED, kept)
    return int(kept)
