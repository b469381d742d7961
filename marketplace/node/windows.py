"""Windows that can be met: short ones are for chains that live on one machine."""

from __future__ import annotations

from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.spec.rules import check_public_windows
from marketplace.spec.sections import RoundsSection


def require_meetable(rounds: RoundsSection, chain_id: int) -> None:
    """BAD_SPEC, naming the field, where a node on this chain could miss a window. For who posts, and who joins."""
    if chain_id not in LOCAL_CHAIN_IDS:
        check_public_windows(rounds)
