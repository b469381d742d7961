"""When nodes stand in for an aggregator that leaves a challenge of its model unanswered."""

from __future__ import annotations

from marketplace.chain.types import Challenge, ChallengeKind
from marketplace.node.showing import stands_in
from tests.support.structs import blank

WINDOW, DEADLINE = 160, 1000
HALF = DEADLINE - WINDOW // 2


def first_time(turn: int, kind: ChallengeKind = ChallengeKind.MODEL) -> int | None:
    challenge = blank(Challenge, kind=kind, deadline=DEADLINE)
    times = range(DEADLINE - WINDOW, DEADLINE + 10)
    return next((now for now in times if stands_in(challenge, WINDOW, turn, now)), None)


def test_the_accused_has_half_of_the_window_for_itself() -> None:
    assert [first_time(turn) for turn in range(6)] == [
        HALF,
        HALF + 10,
        HALF + 20,
        HALF + 30,
        HALF + 40,
        HALF + 40,
    ]


def test_nobody_stands_in_too_late_or_for_a_proof() -> None:
    challenge = blank(Challenge, kind=ChallengeKind.MODEL, deadline=DEADLINE)
    assert stands_in(challenge, WINDOW, 0, DEADLINE - 1)
    assert not stands_in(challenge, WINDOW, 0, DEADLINE)
    assert first_time(0, ChallengeKind.PROOF) is None
    assert first_time(0, ChallengeKind.NONE) is None
