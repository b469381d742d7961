from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.chain.events import Event, ResultPosted, RoundUndone, TrainerStruck
from marketplace.chain.types import Address, Outcome
from marketplace.node.models import last_standing
from marketplace.node.outcomes import chain_of, models_before, outcome_of, results_of, slashed_by, statement
from zk.curve import Point

SOMEBODY = Address("0x" + "ab" * 20)
M0 = Point(1, 2)


def posted(
    place: int, round_: int, cohort: int = 0, merged: int = 7, amounts: tuple[int, ...] = ()
) -> ResultPosted:
    return ResultPosted(
        place,
        b"",
        0,
        1,
        round_,
        SOMEBODY,
        cohort,
        7,
        merged,
        0,
        5,
        1000,
        10,
        bytes(32),
        place,
        place + 1,
        amounts,
    )


def struck(place: int, round_: int, slashed: int) -> TrainerStruck:
    return TrainerStruck(place, b"", 0, 1, round_, SOMEBODY, slashed)


def undone(place: int, round_: int, model: Point) -> RoundUndone:
    return RoundUndone(place, b"", 0, 1, round_, SOMEBODY, 100, model.x, model.y)


def test_an_outcome_says_what_a_result_changed() -> None:
    event = posted(9, 3, cohort=1, amounts=(0, 40, 0, 60))
    assert outcome_of(event, 2, 25, M0, b"s" * 32, (8, 6, None, 4)) == Outcome(
        round=3,
        cohort=1,
        aggregator_index=2,
        fee=5,
        escrow=1000,
        pot=10,
        slashed=25,
        model=M0,
        statement=b"s" * 32,
        numbers=(6, 4),
        amounts=(40, 60),
    )


def test_models_and_slashed_stakes_belong_to_the_result_they_precede() -> None:
    first, second, third, again = posted(2, 1, 0), posted(4, 1, 1), posted(6, 2), posted(9, 3)
    events: list[Event] = [
        struck(1, 1, 5),
        struck(1, 1, 6),
        first,
        second,
        struck(5, 2, 7),
        third,
        undone(8, 2, Point(4, 5)),
        again,
    ]
    assert slashed_by(events) == {first: 11, second: 0, third: 7, again: 0}
    assert models_before(events, M0) == {
        first: M0,
        second: Point(2, 3),
        third: Point(4, 5),
        again: Point(4, 5),
    }
    assert results_of(events, 1) == [first, second]


def test_the_model_that_stands_is_of_the_last_round_that_was_not_undone() -> None:
    assert last_standing([]) is None
    first, second, empty = posted(1, 1), posted(2, 2), posted(3, 3, merged=0)
    assert last_standing([first, second, empty]) == second
    assert last_standing([first, second, empty, undone(4, 2, M0)]) == first
    assert last_standing([first, undone(4, 1, M0)]) is None


def test_the_chain_of_outcomes_is_the_contracts() -> None:
    one = outcome_of(posted(9, 3, amounts=(1, 2)), 0, 0, M0, b"s" * 32, (0, 1))
    # a dynamic struct: abi.encode puts an offset before it, its lists behind its words
    stated = int.from_bytes(b"s" * 32, "big")
    words = [0x20, 3, 0, 0, 5, 1000, 10, 0, 1, 2, stated, 12 * 32, 15 * 32, 2, 0, 1, 2, 1, 2]
    link = keccak(b"".join(word.to_bytes(32, "big") for word in words))
    assert chain_of([one]) == keccak(bytes(32) + link)
    assert chain_of([one, one]) == keccak(chain_of([one]) + link)
    assert chain_of([]) == bytes(32)


def test_a_statement_binds_commitments_and_gram() -> None:
    commitments, gram = b"c" * 128, (1, 2, 3)
    packed = b"".join(entry.to_bytes(32, "big") for entry in gram)
    assert statement(commitments, gram) == keccak(
        encode(["bytes32", "bytes32"], [keccak(commitments), keccak(packed)])
    )
