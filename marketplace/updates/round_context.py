"""What every sealed file belongs to: a market's project and one of its rounds (docs/protocol.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from marketplace.errors import FairshareError, Reason

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")


@dataclass(frozen=True)
class RoundContext:
    """A market, a project and a round. Raises BAD_INPUT for values out of range."""

    of: ClassVar[str]  # what is sealed, in words

    chain_id: int  # below 2^64
    market: str  # 0x and 40 hex digits
    project: int  # below 2^256
    round: int  # below 2^16

    def __post_init__(self) -> None:
        for name, value, bits in (
            ("chain id", self.chain_id, 64),
            ("project", self.project, 256),
            ("round", self.round, 16),
        ):
            if not 0 <= value < 1 << bits:
                raise FairshareError(Reason.BAD_INPUT, f"{name} of {self.of} does not fit {bits} bits")
        self.check_address("market", self.market)

    def check_address(self, name: str, text: str) -> None:
        """BAD_INPUT unless `text` is 0x and 40 hex digits."""
        if not _ADDRESS.match(text):
            raise FairshareError(Reason.BAD_INPUT, f"{name} of {self.of} is not an address: {text!r}")

    def packed(self) -> bytes:
        """62 bytes of associated data, integers big-endian."""
        return b"".join(
            (
                self.chain_id.to_bytes(8, "big"),
                bytes.fromhex(self.market[2:]),
                self.project.to_bytes(32, "big"),
                self.round.to_bytes(2, "big"),
            )
        )
