"""What a node keeps for itself between runs: its encryption key and its seed."""

from __future__ import annotations

import secrets
from pathlib import Path

from marketplace.node.journal import NODE, Journal
from marketplace.updates.sealing import EncryptionKey

SEED = "seed"


def encryption_key(home: Path) -> EncryptionKey:
    """The node's X25519 key, made on the first call."""
    path = home / "encryption.key"
    if path.exists():
        return EncryptionKey.load(path)
    key = EncryptionKey.generate()
    key.save(path)
    return key


def training_seed(journal: Journal, chosen: int | None) -> int:
    """The node's seed, below 2^32: as chosen, or drawn once; what the journal holds already wins."""
    kept = journal.get(NODE, 0, SEED)
    if kept is None:
        kept = secrets.randbits(32) if chosen is None else chosen
        journal.put(NODE, 0, SEED, kept)
    return int(kept)
