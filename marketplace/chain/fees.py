"""EIP-1559 fees: pure integer arithmetic, in wei for a unit of gas."""

from __future__ import annotations

import dataclasses

_MOST_BASE_FEE_GROWTH = 2  # covers six full blocks in a row, each of which raises the base fee by an eighth
_GAS_MARGIN = (6, 5)  # state may change between estimate and inclusion
_GAS_SPARE = 50_000  # .. so that a submission turns out to be the round's last, which closes it


@dataclasses.dataclass(frozen=True)
class Fees:
    """What a transaction offers for a unit of gas."""

    max_fee: int
    priority_fee: int

    @classmethod
    def for_next_blocks(cls, base_fee: int, priority_fee: int) -> Fees:
        """Enough for the next blocks even if all are full."""
        return cls(max_fee=_MOST_BASE_FEE_GROWTH * base_fee + priority_fee, priority_fee=priority_fee)

    def capped(self, cap: int | None) -> Fees:
        """These fees, but for a unit of gas never more than `cap`."""
        if cap is None or self.max_fee <= cap:
            return self
        return Fees(max_fee=cap, priority_fee=min(self.priority_fee, cap))

    def replacing(self, earlier: Fees, cap: int | None = None) -> Fees | None:
        """These fees, or as much more than `earlier` as nodes ask of a replacement (geth: 10 %).

        None where that is above `cap`.
        """
        raised = Fees(
            max_fee=max(self.max_fee, _raised(earlier.max_fee)),
            priority_fee=max(self.priority_fee, _raised(earlier.priority_fee)),
        ).capped(cap)
        enough = raised.max_fee >= _least(earlier.max_fee) and raised.priority_fee >= _least(
            earlier.priority_fee
        )
        return raised if enough else None


def gas_limit(estimate: int, block_limit: int) -> int:
    """The gas limit to sign, from an estimate."""
    return min(estimate * _GAS_MARGIN[0] // _GAS_MARGIN[1] + _GAS_SPARE, block_limit)


def _raised(fee: int) -> int:
    return fee * 9 // 8 + 1


def _least(fee: int) -> int:
    """The least that replaces `fee`."""
    return -(-fee * 11 // 10)
