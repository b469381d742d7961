"""How many blocks to ask an endpoint's logs of at once: most serve some thousand, some ten."""

from __future__ import annotations

FIRST_SPAN = 10_000
_NEAR = 0.25  # of what is served: so near to what is refused it is not worth to find out more
_FIRST_PATIENCE = 16  # requests


class Span:
    """Finds the limit by what an endpoint serves and refuses: halves, doubles, then searches between.

    Some limit blocks, some logs, which may be denser elsewhere: so more are tried again, more and more seldom.
    """

    def __init__(self) -> None:
        self.blocks = FIRST_SPAN
        self._served = 0  # the most, fewer than `_refused`
        self._refused = FIRST_SPAN + 1  # the fewest
        self._alike = 0  # requests since the search has ended
        self._patience = _FIRST_PATIENCE

    def served(self, blocks: int) -> None:
        """So many blocks were served at once."""
        self._served = max(self._served, blocks)
        if self._refused - self._served > max(1, _NEAR * self._served):
            self.blocks = min(2 * self._served, (self._served + self._refused) // 2)
            return
        self.blocks = self._served
        self._alike += 1
        if self._alike >= self._patience:
            self._alike, self._patience, self._refused = 0, 2 * self._patience, FIRST_SPAN + 1
            self.blocks = min(2 * self._served, FIRST_SPAN)

    def refused(self, blocks: int) -> None:
        """So many, more than one, were refused."""
        self._refused = blocks
        if self._served >= blocks:
            self._served = 0
        self.blocks = self._served or max(1, blocks // 2)
