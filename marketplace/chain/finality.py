"""When a block counts as final: pure arithmetic over block numbers."""

from __future__ import annotations

from typing import Final

from marketplace.chain.local import LOCAL_CHAIN_IDS

PUBLIC_CONFIRMATIONS: Final = (
    12  # the deepest reorganisation of Ethereum under validators was of 7 (May 2022)
)


def default_confirmations(chain_id: int) -> int:
    """Blocks after which one is taken for final: none on a chain of one machine, which nobody else extends."""
    return 0 if chain_id in LOCAL_CHAIN_IDS else PUBLIC_CONFIRMATIONS


def is_final(block: int, head: int, confirmations: int) -> bool:
    """Whether `block` can be reorganised away no more, as far as `confirmations` go."""
    return block + confirmations <= head


def final_block(head: int, confirmations: int) -> int:
    """The newest block that is final."""
    return max(0, head - confirmations)
