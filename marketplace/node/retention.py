"""For how long a node keeps a project's blobs: docs/storage.md, "What is kept"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from marketplace.storage.reasons import Purpose, Why


@dataclass(frozen=True)
class Standing:
    """What of a project is final. `outcome`: the round that can still be challenged, all before it cannot.
    `last_model`: the round that made the model it stands at, 0 for the initial one."""

    over: bool
    outcome: int
    last_model: int


def ends(
    kept: Iterable[tuple[str, Why]], standing: Standing, now: int, keep_s: int, *, of_owner: bool
) -> Iterator[tuple[str, Why, int]]:
    """Reasons that come to an end, and when (Unix time in seconds), of those that have none yet.

    While a project runs nothing ends but previews that did not become models. Afterwards all that an audit needs is
    kept for `keep_s` more; the owner keeps spec and final model, which it paid for, without an end.
    """
    for cid, why in kept:
        if why.purpose is Purpose.PREVIEW and (standing.over or why.round < standing.outcome):
            yield cid, why, now
        elif standing.over and not (of_owner and _is_result(why, standing)):
            yield cid, why, now + keep_s


def _is_result(why: Why, standing: Standing) -> bool:
    if why.purpose is Purpose.SPEC:
        return True
    return why.purpose is Purpose.MODEL and why.round == standing.last_model
