from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from marketplace.chain.types import (
    Block,
    Challenge,
    ChallengeKind,
    Cohort,
    Project,
    Status,
    Terms,
)
from marketplace.node.overdue import Due, Move, Standing, overdue
from tests.support.structs import blank

JOIN, SUBMIT, ANSWER, RESULT, CHALLENGE = 100, 200, 250, 300, 180
QUORUM, SLOTS = 5, 5  # with one fault


TERMS = blank(Terms, slots=SLOTS, faults=1, trainers=12, cohorts=2)


def project(status: Status, **fields: Any) -> Project:
    defaults = {
        "status": status,
        "round": 2,
        "cohorts": 2,
        "join_deadline": JOIN,
        "submit_deadline": SUBMIT,
        "result_deadline": RESULT,
        "challenge_deadline": CHALLENGE,
        "aggregator_count": 1,
        "trainer_count": 12,
    }
    return blank(Project, **(defaults | fields))  # type: ignore[no-any-return]


def at(
    now: int, state: Project, *cohorts: Cohort, challenge: Challenge | None = None, **more: Any
) -> list[Due]:
    return overdue(Standing(Block(1, now, b""), TERMS, state, cohorts, challenge, **more))


def cohort(submitted: int = 0, **fields: Any) -> Cohort:
    return blank(Cohort, round=2, submitted=submitted, **fields)  # type: ignore[no-any-return]


FULL, SHORT = 0b11111, 0b1111


@pytest.mark.parametrize(
    ("now", "trainers", "aggregators", "due"),
    [
        (50, 12, 1, [Due(Move.START, 50)]),
        (50, 12, 0, []),
        (50, 11, 1, []),
        (JOIN, 11, 1, [Due(Move.START, JOIN)]),
        (JOIN + 7, QUORUM, 1, [Due(Move.START, JOIN)]),
        (JOIN, QUORUM - 1, 1, [Due(Move.CANCEL, JOIN)]),
        (JOIN, 12, 0, [Due(Move.CANCEL, JOIN)]),
    ],
)
def test_open(now: int, trainers: int, aggregators: int, due: list[Due]) -> None:
    assert at(now, project(Status.OPEN, trainer_count=trainers, aggregator_count=aggregators)) == due


def test_a_full_project_is_due_since_the_latest_joining() -> None:
    assert at(50, project(Status.OPEN), filled_at=40) == [Due(Move.START, 40)]
    assert at(JOIN + 9, project(Status.OPEN), filled_at=40) == [Due(Move.START, JOIN)]


def test_drawing_waits_for_the_seeds_block() -> None:
    assert at(500, project(Status.DRAWING)) == []
    assert at(500, project(Status.DRAWING), seeded_at=450) == [Due(Move.DRAW, 450)]


@pytest.mark.parametrize(
    ("now", "first", "second", "due"),
    [
        (SUBMIT - 1, cohort(), cohort(), []),
        (SUBMIT, cohort(FULL), cohort(FULL), []),
        (SUBMIT, cohort(FULL), cohort(SHORT), [Due(Move.SKIP, SUBMIT, 1)]),
        (SUBMIT, cohort(SHORT, batched=FULL), cohort(FULL), []),
        (SUBMIT, blank(Cohort), cohort(FULL), [Due(Move.SKIP, SUBMIT, 0)]),
        (SUBMIT, cohort(concluded=True), cohort(FULL), []),
        (RESULT, cohort(concluded=True), cohort(FULL), [Due(Move.TIMEOUT, RESULT)]),
        (RESULT, cohort(SHORT), cohort(FULL), [Due(Move.SKIP, SUBMIT, 0), Due(Move.TIMEOUT, RESULT)]),
        (RESULT, cohort(concluded=True), cohort(FULL, concluded=True), []),
        (SUBMIT, cohort(FULL, complained=1), cohort(FULL), []),
        (ANSWER, cohort(FULL, complained=1), cohort(FULL), [Due(Move.SKIP, ANSWER, 0)]),
        (ANSWER, cohort(FULL, answered=1), cohort(FULL), []),
    ],
)
def test_rounds(now: int, first: Cohort, second: Cohort, due: list[Due]) -> None:
    assert at(now, project(Status.ACTIVE, answer_deadline=ANSWER), first, second) == due


def test_while_a_challenge_is_open_only_undoing_moves_on() -> None:
    challenge = blank(Challenge, kind=ChallengeKind.MODEL, deadline=400)
    for status in (Status.ACTIVE, Status.CLOSING):
        assert at(399, project(status), cohort(FULL), cohort(SHORT), challenge=challenge) == []
        assert at(400, project(status), cohort(FULL), cohort(SHORT), challenge=challenge) == [
            Due(Move.UNDO, 400)
        ]


def test_sketches_are_drawn_as_soon_as_a_cohort_can_be_merged() -> None:
    sketched = dataclasses.replace(TERMS, chunks=4)
    state = project(Status.ACTIVE, seed_round=1)

    def due(now: int, state: Project, *cohorts: Cohort) -> list[Due]:
        return overdue(Standing(Block(1, now, b""), sketched, state, cohorts))

    drawing = Due(Move.DRAW_SKETCH, SUBMIT)
    assert due(SUBMIT - 1, state, cohort(FULL), cohort(FULL)) == []
    assert due(SUBMIT, state, cohort(FULL), cohort(FULL)) == [drawing]
    assert due(SUBMIT, state, cohort(SHORT), cohort(FULL)) == [Due(Move.SKIP, SUBMIT, 0), drawing]
    assert due(SUBMIT, state, cohort(SHORT), cohort(SHORT)) == [
        Due(Move.SKIP, SUBMIT, 0),
        Due(Move.SKIP, SUBMIT, 1),
    ]
    assert due(SUBMIT, project(Status.ACTIVE, seed_round=2), cohort(FULL), cohort(FULL)) == []
    assert due(RESULT, state, cohort(FULL), cohort(FULL)) == [drawing, Due(Move.TIMEOUT, RESULT)]


def test_an_answer_that_stands_closes_a_challenge_instead_of_undoing_the_round() -> None:
    challenge = blank(Challenge, kind=ChallengeKind.SKETCH, deadline=400)
    for status in (Status.ACTIVE, Status.CLOSING):
        assert at(399, project(status), challenge=challenge, answer_stands=True) == []
        assert at(400, project(status), challenge=challenge, answer_stands=True) == [
            Due(Move.CLOSE_SKETCH, 400)
        ]
        assert at(400, project(status), challenge=challenge) == [Due(Move.UNDO, 400)]


def test_closing_settles_once_nothing_can_be_challenged() -> None:
    closed = blank(Challenge)
    assert at(CHALLENGE - 1, project(Status.CLOSING), challenge=closed) == []
    assert at(CHALLENGE, project(Status.CLOSING), challenge=closed) == [Due(Move.SETTLE, CHALLENGE)]


@pytest.mark.parametrize("status", [Status.SETTLED, Status.CANCELLED, Status.HALTED])
def test_nothing_moves_a_project_that_is_over(status: Status) -> None:
    assert at(10**6, project(status), cohort(), cohort()) == []
