"""The exact path's limit on K and d."""

from __future__ import annotations

from marketplace.errors import FairshareError, Reason

MAX_CELLS = 100_000


def check_shape(slots: int, length: int) -> None:
    """Raise TOO_LARGE where K * d is beyond the exact path."""
    if slots * length > MAX_CELLS:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"{slots} trainers x {length} trainable parameters = {slots * length}: beyond the exact path's "
            f"limit of {MAX_CELLS}",
            "train fewer parameters (freeze layers, pool the input) or take fewer trainers",
        )
