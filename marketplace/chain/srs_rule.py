"""Where a circuit may rest on a test SRS: where nothing is worth anything."""

from __future__ import annotations

from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.errors import FairshareError, Reason
from zk.srs import SrsKind


def require_srs(kind: SrsKind, chain_id: int) -> None:
    """REFUSED for a test SRS on any but a local chain: whoever made it can prove anything and open anything."""
    if kind == "test" and chain_id not in LOCAL_CHAIN_IDS:
        raise FairshareError(
            Reason.REFUSED,
            f"the circuit rests on a test SRS, whose maker can forge proofs, and chain {chain_id} is no local one",
            "use an SRS of the perpetual powers of tau: `fairshare circuit srs import FILE`",
        )
