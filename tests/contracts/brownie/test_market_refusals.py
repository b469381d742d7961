"""Calls that come too early, too late, twice or from the wrong account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from brownie.exceptions import VirtualMachineError
from brownie.test import given
from game import BLOB, KEY, Game
from hypothesis import strategies as st
from rounds import ANSWER_S, SLOTS, WINDOW_S, by_reference, terms
from toy import commitment, opening
from wire import wait
from world import World, refusal

from marketplace.chain.types import ChallengeKind, Project, Settlement, Status
from marketplace.protocol.digests import update_digest

# No two scores or norms are equal, so each median is one slot's.
UPDATES = {slot: (100 + slot**3, 50 - 7 * slot, slot**2, 3) for slot in range(SLOTS)}
DIGEST = b"d" * 32


def refused(call: Any, *arguments: Any) -> str:
    """The name of the custom error with which a call is refused."""
    with pytest.raises(VirtualMachineError) as caught:
        call(*arguments)
    return refusal(caught.value)


@pytest.fixture(scope="module")
def first(accounts: Any) -> dict[str, Any]:
    return {"from": accounts[2 + SLOTS]}


@pytest.fixture(scope="module")
def second(accounts: Any) -> dict[str, Any]:
    return {"from": accounts[3 + SLOTS]}


@pytest.fixture(scope="module")
def anyone(accounts: Any) -> dict[str, Any]:
    return {"from": accounts[0]}


@pytest.fixture(scope="module")
def running(world: World, accounts: Any) -> Game:
    """A running project: trainers are accounts 2.., its two aggregators come after them."""
    game = Game(world, terms(world.circuit, settlement=Settlement.ON_DEMAND), accounts[1])
    for trainer in accounts[2 : 2 + SLOTS]:
        game.join(trainer)
    for aggregator in accounts[2 + SLOTS : 4 + SLOTS]:
        game.join_as_aggregator(aggregator)
    world.market.start(game.project, {"from": accounts[0]})
    return game


@pytest.fixture
def game(running: Game, isolation: None) -> Game:
    """The same, for one test: brownie takes the chain back after it."""
    return running.again()


@pytest.fixture
def closed(game: Game, accounts: Any) -> Game:
    """The same project once all have submitted in round 1."""
    return submitted(game, accounts)


@pytest.fixture
def posted(closed: Game) -> Game:
    """The same project once round 1 has its result."""
    state = closed.state()
    result, _, updates = closed.honest(state, 0)
    closed.post(state, result, updates)
    return closed


def submitted(game: Game, accounts: Any) -> Game:
    for slot, update in UPDATES.items():
        game.submit(1, slot, accounts[2 + slot], update)
    return game


def test_joining_and_starting(world: World, accounts: Any) -> None:
    market, owner, stranger = world.market, accounts[1], {"from": accounts[0]}
    game = Game(world, terms(world.circuit), owner)
    project = game.project
    assert refused(market.join, project, KEY, {"from": accounts[2]}) == "InsufficientFree"
    game.join(accounts[2])
    assert refused(market.join, project, KEY, {"from": accounts[2]}) == "AlreadyMember"
    assert refused(market.joinAsAggregator, project, KEY, b"", [], {"from": accounts[2]}) == "AlreadyMember"
    assert refused(market.joinAsAggregator, project, KEY, bytes(257), [], stranger) == "InvalidLength"
    assert refused(market.start, project, stranger) == "CannotStart"
    assert refused(market.draw, project, stranger) == "WrongStatus"
    assert refused(market.cancel, project, stranger) == "CannotCancel"
    assert refused(market.leave, project, stranger) == "NotMember"
    assert refused(market.submit, project, 1, 0, DIGEST, BLOB, {"from": accounts[2]}) == "WrongStatus"
    assert refused(market.release, project, {"from": accounts[2]}) == "WrongStatus"
    wait(WINDOW_S)
    assert refused(market.join, project, KEY, {"from": accounts[3]}) == "DeadlinePassed"
    market.cancel(project, stranger)
    assert refused(market.cancel, project, {"from": owner}) == "WrongStatus"
    market.claim(project, owner, stranger)
    assert refused(market.claim, project, owner, stranger) == "NothingToClaim"
    market.release(project, {"from": accounts[2]})
    assert refused(market.release, project, {"from": accounts[2]}) == "NothingToRelease"


@pytest.mark.parametrize(
    "changes",
    [
        {"slots": 17},
        {"faults": 2},
        {"cohorts": 0},
        {"trainers": SLOTS - 1},
        {"rounds": 0},
        {"challenge_window": WINDOW_S + 1},
        {"batch_window": WINDOW_S},
        {"strike_slash": 10_001},
        {"aggregator_fee": 500_002},
        {"complaint_deposit": 70_007},
        {"reference_share": 1},
        {"trainer_stake": 2**96 - 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_terms(world: World, accounts: Any, changes: dict[str, Any]) -> None:
    assert (
        refused(Game, world, replace(terms(world.circuit), **{"aggregator_fee": 1, **changes}), accounts[1])
        == "InvalidTerms"
    )


def test_submissions(world: World, game: Game, first: Any, anyone: Any, accounts: Any) -> None:
    market, project = world.market, game.project
    trainer, other = {"from": accounts[2]}, {"from": accounts[3]}
    assert refused(market.submit, project, 1, 0, bytes(32), BLOB, trainer) == "InvalidDigest"
    assert refused(market.submit, project, 2, 0, DIGEST, BLOB, trainer) == "WrongRound"
    assert refused(market.submit, project, 1, 0, DIGEST, BLOB, other) == "NotYourSeat"
    assert refused(market.submit, project, 1, SLOTS, DIGEST, BLOB, trainer) == "WrongCohort"
    assert refused(market.submitReference, project, 1, DIGEST, BLOB, {"from": accounts[1]}) == "NotOwner"
    assert refused(market.postBatch, project, 1, 0, 3, DIGEST, BLOB, anyone) == "NotCurrentAggregator"
    assert refused(market.postBatch, project, 1, 0, 1 << SLOTS, DIGEST, BLOB, first) == "InvalidBatch"
    assert refused(market.reseal, project, 1, bytes(80), trainer) == "TooEarly"
    unsigned = (project, 1, 0, accounts[2], DIGEST, BLOB, bytes(65), anyone)
    assert refused(market.submitSigned, *unsigned) == "NotSigned"
    game.submit(1, 0, accounts[2], UPDATES[0])
    assert refused(market.submit, project, 1, 0, DIGEST, BLOB, trainer) == "AlreadySubmitted"
    assert refused(market.leave, project, trainer) == "AlreadySubmitted"
    wait(WINDOW_S // 2)
    assert refused(market.postBatch, project, 1, 0, 3, DIGEST, BLOB, first) == "DeadlinePassed"
    wait(WINDOW_S // 2)
    assert refused(market.submit, project, 1, 1, DIGEST, BLOB, other) == "DeadlinePassed"
    assert refused(market.reseal, project, 1, bytes(79), trainer) == "InvalidLength"
    assert refused(market.reseal, project, 1, bytes(80), anyone) == "NotMember"
    honest = game.honest(game.state(), 0)[0]
    assert refused(market.postResult, project, honest.to_abi(), first) == "QuorumMissed"
    assert refused(market.timeout, project, 1, first) == "TooEarly"


def test_results_by_the_wrong_account_or_at_the_wrong_time(
    world: World, closed: Game, first: Any, second: Any, anyone: Any
) -> None:
    market, project = world.market, closed.project
    state = closed.state()
    honest, _, updates = closed.honest(state, 0)
    posted = honest.to_abi()
    assert refused(market.postResult, project, posted, second) == "NotCurrentAggregator"
    assert refused(market.timeout, project, 1, second) == "TooEarly"
    assert refused(market.skip, project, 1, 0, second) == "QuorumReached"
    assert refused(market.settle, project, second) == "WrongStatus"
    wait(WINDOW_S)
    assert refused(market.postResult, project, posted, first) == "DeadlinePassed"
    market.timeout(project, 1, anyone)
    closed.post(closed.state(), honest, updates)
    assert refused(market.postResult, project, posted, second) == "WrongRound"


def test_complaints_and_answers(
    world: World, closed: Game, first: Any, second: Any, anyone: Any, accounts: Any
) -> None:
    market, project = world.market, closed.project
    arrivals = closed.of(1, 0).arrivals()
    other = replace(arrivals, order=arrivals.order[1:], digests=arrivals.digests[1:])
    assert refused(market.complain, project, 1, 0, 1, arrivals.to_abi(), second) == "NotCurrentAggregator"
    assert refused(market.complain, project, 1, 0, 0, arrivals.to_abi(), first) == "InvalidComplaint"
    assert refused(market.complain, project, 1, 0, 1 << SLOTS, arrivals.to_abi(), first) == "InvalidComplaint"
    assert refused(market.complain, project, 1, 0, 1, other.to_abi(), first) == "WrongArrivals"
    closed.complain(1, 0, [0, 1], first["from"])
    assert refused(market.complain, project, 1, 0, 1, arrivals.to_abi(), first) == "InvalidComplaint"
    honest = closed.honest(closed.state(), 0)[0].to_abi()
    assert refused(market.postResult, project, honest, first) == "TooEarly"
    assert refused(market.skip, project, 1, 0, anyone) == "TooEarly"
    circuit, c = world.circuit, commitment(UPDATES[0])
    right, wrong = (opening(circuit, UPDATES[slot], 2).to_abi() for slot in (0, 1))
    for slot, point, shown, expected in (
        (2, c, right, "NothingToAnswer"),
        (1, c, right, "DigestMismatch"),  # another's update
        (0, (c.x, c.y + 1), right, "NotOnCurve"),
        (0, c, wrong, "OpeningRejected"),
        (0, c, (right[0][:-2], right[1]), "WrongInputLength"),
    ):
        assert refused(market.answer, project, 1, 0, slot, point, shown, anyone) == expected
    closed.answer(1, 0, 0, accounts[0])
    assert refused(market.answer, project, 1, 0, 0, c, right, anyone) == "NothingToAnswer"
    wait(ANSWER_S)
    assert refused(closed.answer, 1, 0, 1, accounts[0]) == "DeadlinePassed"


def test_challenges(world: World, posted: Game, anyone: Any, accounts: Any) -> None:
    market, project = world.market, posted.project
    outcomes = [outcome.to_abi() for outcome in posted.outcomes[1]]
    model, proof = ChallengeKind.MODEL, ChallengeKind.PROOF
    assert refused(market.claim, project, accounts[2], anyone) == "TooEarly"
    assert refused(market.challenge, project, model, 0, [], anyone) == "InsufficientFree"
    for account in (accounts[0], accounts[2]):
        world.deposit(posted.terms.token, account, 2 * posted.terms.complaint_deposit)
    assert refused(market.challenge, project, ChallengeKind.NONE, 0, outcomes, anyone) == "CannotChallenge"
    assert refused(market.challenge, project, proof, 0, [], anyone) == "WrongOutcomes"
    assert refused(market.undo, project, outcomes, anyone) == "NothingToAnswer"
    posted.challenge(proof, 0, accounts[0])
    assert refused(market.challenge, project, model, 0, [], {"from": accounts[2]}) == "ChallengeOpen"
    assert refused(market.undo, project, outcomes, anyone) == "TooEarly"
    assert refused(posted.answer_model, accounts[0]) == "NothingToAnswer"
    gram, bytes_ = posted.proofs[1, 0]
    assert refused(market.answerProof, project, (gram[0] + 1, *gram[1:]), bytes_, anyone) == "WrongOutcomes"
    assert refused(market.answerProof, project, gram, bytes_[:-1], anyone) == "WrongInputLength"
    posted.answer_proof(0, accounts[0])
    assert refused(posted.challenge, proof, 0, accounts[0]) == "CannotChallenge"
    posted.challenge(model, 0, accounts[0])
    short = opening(world.circuit, (1, 2, 3, 4), 4).to_abi()
    assert refused(market.answerModel, project, short, anyone) == "OpeningRejected"
    wait(ANSWER_S)
    assert refused(posted.answer_model, accounts[0]) == "DeadlinePassed"
    assert refused(market.undo, project, [], anyone) == "WrongOutcomes"
    posted.undo(accounts[0])
    assert posted.state().round == 3
    assert refused(market.challenge, project, model, 0, [], anyone) == "CannotChallenge"


def test_revealing(world: World, accounts: Any) -> None:
    market = world.market
    game = Game(world, by_reference(world.circuit_with_reference, rounds=1), accounts[1])
    for trainer in accounts[2 : 2 + SLOTS]:
        game.join(trainer)
    game.join_as_aggregator(accounts[2 + SLOTS])
    market.start(game.project, {"from": accounts[0]})
    call = (game.project, DIGEST, b"z" * 32)
    assert refused(market.reveal, *call, {"from": accounts[1]}) == "WrongStatus"
    wait(WINDOW_S)
    market.skip(game.project, 1, 0, {"from": accounts[0]})
    assert game.state().status is Status.CLOSING
    assert refused(market.reveal, *call, {"from": accounts[2]}) == "NotOwner"
    assert refused(market.reveal, *call, {"from": accounts[1]}) == "NotTheValidationSet"
    assert refused(market.settle, game.project, {"from": accounts[0]}) == "TooEarly"


@given(
    st.sampled_from(
        ["merged", "median_score_slot", "median_norm_slot", "neighbours", "proof", "arrivals", "before"]
    ),
    st.integers(0, SLOTS - 1),
)
def test_no_tampered_result_is_accepted(running: Game, accounts: Any, where: str, slot: int) -> None:
    closed = submitted(running.again(), accounts)
    state: Project = closed.state()
    honest, _, updates = closed.honest(state, 0)
    digest = update_digest(*commitment(UPDATES[slot]), str(closed.owner))
    changes: dict[str, Any] = {
        "merged": honest.merged ^ 1 << slot,
        "median_score_slot": (honest.median_score_slot + 1 + slot) % SLOTS,
        "median_norm_slot": (honest.median_norm_slot + 1 + slot) % SLOTS,
        "neighbours": tuple(near ^ 0b11 if i == slot else near for i, near in enumerate(honest.neighbours)),
        "proof": honest.proof[: 64 * slot] + b"\x01" + honest.proof[64 * slot + 1 :],
        "before": bytes([slot]) * 32,
        "arrivals": replace(
            honest.arrivals,
            digests=tuple(digest if i == slot else d for i, d in enumerate(honest.arrivals.digests)),
        ),
    }
    if changes[where] == getattr(honest, where):
        return
    tampered = replace(honest, **{where: changes[where]})
    expected = {
        "merged": "WrongMerged",
        "median_score_slot": "WrongMedianScore",
        "median_norm_slot": "WrongMedianNorm",
        "neighbours": "WrongNeighbours",
        "proof": "DigestMismatch",
        "arrivals": "WrongArrivals",
        "before": "WrongModel",
    }
    assert refused(closed.post, state, tampered, updates) == expected[where]
    closed.post(state, honest, updates)
