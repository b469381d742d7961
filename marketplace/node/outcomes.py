"""The outcomes of a round, rebuilt from events: what challenges and undoing hand in (`Outcome` of ITrainingMarket)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    Event,
    ResultCall,
    ResultPosted,
    ResultStated,
    RoundUndone,
    SketchResultPosted,
    TrainerStruck,
    decode_result_call,
    fetch,
)
from marketplace.chain.types import Outcome, RoundResult, Settlement, SketchStatement, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.node.lagging import lagging
from marketplace.node.seats import cohort_numbers
from zk import curve
from zk.curve import Point

_OUTCOME = "(uint16,uint8,uint8,uint96,uint96,uint96,uint96,(uint256,uint256),bytes32,uint32[],uint96[])"
_WORD = 32  # bytes
_NOT_STATED = bytes(_WORD)  # a proved result has nothing left to prove

S = TypeVar("S", ResultStated, SketchResultPosted)


def outcomes(client: MarketClient, project: int) -> tuple[Outcome, ...]:
    """Outcomes of the project's latest round with results, as the chain holds their hash; () where there is none.

    Raises UNAVAILABLE (`lagging`) where the endpoint's events are not those of the hash.
    """
    at = client.latest_block().number
    state, terms = client.project(project, block=at), client.terms(project)
    if not any(state.outcome):
        return ()
    events: list[Event] = fetch(client, [ResultPosted, RoundUndone, TrainerStruck], project, to_block=at)
    models, slashed = models_before(events, terms.initial_model), slashed_by(events)
    found, results = [], results_of(events, state.outcome_round)
    for event, statement in zip(results, _stated(client, project, terms, results, at), strict=True):
        numbers = cohort_numbers(state, terms.slots, event.round, event.cohort)
        index = client.membership(project, event.aggregator, block=at).aggregator_index
        found.append(outcome_of(event, index or 0, slashed[event], models[event], statement, numbers))
    if chain_of(found) != state.outcome:
        raise lagging(
            client,
            f"the results that the endpoint serves for round {state.outcome_round} are not those that the chain holds",
        )
    return tuple(found)


def posted_result(client: MarketClient, project: int, event: ResultPosted) -> RoundResult:
    """What the transaction behind `event` posted; INTEGRITY where it posted another result, or through a contract."""
    return posted_call(client, project, event).result


def posted_call(client: MarketClient, project: int, event: ResultPosted) -> ResultCall:
    """As `posted_result`, with the roots of the sketch path."""
    call = decode_result_call(client.transaction_input(event.transaction_hash))
    if (call.project, call.result.round, call.result.cohort) != (project, event.round, event.cohort):
        raise FairshareError(
            Reason.INTEGRITY, "the transaction behind a result posted another one", "use another endpoint"
        )
    return call


def sketch_statements(
    client: MarketClient, project: int, results: Sequence[ResultPosted], block: int
) -> list[SketchStatement]:
    """What a round's results on the sketch path state, as of `block`; UNAVAILABLE where the endpoint serves less."""
    return [stated.statement for stated in _with(client, SketchResultPosted, project, results, block)]


def _stated(
    client: MarketClient, project: int, terms: Terms, results: Sequence[ResultPosted], block: int
) -> list[bytes]:
    """`Outcome.statement` of a round's results."""
    if terms.chunks:
        return [stated.digest() for stated in sketch_statements(client, project, results, block)]
    if terms.settlement is Settlement.ON_DEMAND:
        return [stated.statement for stated in _with(client, ResultStated, project, results, block)]
    return [_NOT_STATED] * len(results)


def _with(
    client: MarketClient, kind: type[S], project: int, results: Sequence[ResultPosted], block: int
) -> list[S]:
    """The events that come with a round's results, read at once."""
    if not results:
        return []
    found = fetch(client, [kind], project, results[0].round, to_block=block)
    by_place = {(event.transaction_hash, event.cohort): event for event in found}
    places = [(event.transaction_hash, event.cohort) for event in results]
    if missing := [cohort for transaction, cohort in places if (transaction, cohort) not in by_place]:
        raise lagging(
            client,
            f"the endpoint does not serve what the result of round {results[0].round}, cohort {missing[0]}, states",
        )
    return [by_place[place] for place in places]


def results_of(events: Iterable[Event], round_: int) -> list[ResultPosted]:
    """The results of a round, in the chain's order."""
    return [event for event in events if isinstance(event, ResultPosted) and event.round == round_]


def models_before(events: Iterable[Event], initial: Point) -> dict[ResultPosted, Point]:
    """The model's commitment before each result."""
    before, model = {}, initial
    for event in events:
        if isinstance(event, ResultPosted):
            before[event] = model
        if isinstance(event, (ResultPosted, RoundUndone)):
            model = Point(event.x, event.y)
    return before


def slashed_by(events: Iterable[Event]) -> dict[ResultPosted, int]:
    """What each result took from the struck: the market announces strikes just before their result."""
    by_result, pending = {}, 0
    for event in events:
        if isinstance(event, TrainerStruck):
            pending += event.slashed
        elif isinstance(event, ResultPosted):
            by_result[event], pending = pending, 0
    return by_result


def outcome_of(
    event: ResultPosted,
    aggregator_index: int,
    slashed: int,
    model: Point,
    statement: bytes,
    numbers: Sequence[int | None],
) -> Outcome:
    """The outcome of one result. `model`: the commitment before it; `numbers`: the trainers' by slot."""
    paid = [slot for slot, amount in enumerate(event.amounts) if amount]
    return Outcome(
        round=event.round,
        cohort=event.cohort,
        aggregator_index=aggregator_index,
        fee=event.fee,
        escrow=event.escrow,
        pot=event.pot,
        slashed=slashed,
        model=model,
        statement=statement,
        numbers=tuple(_taken(numbers[slot]) for slot in paid),
        amounts=tuple(event.amounts[slot] for slot in paid),
    )


def chain_of(found: Iterable[Outcome]) -> bytes:
    """`Project.outcome` after these outcomes of a round."""
    chain = bytes(_WORD)
    for outcome in found:
        link = keccak(encode([_OUTCOME], [outcome.to_abi()]))
        chain = bytes(keccak(encode(["bytes32", "bytes32"], [chain, link])))
    return chain


def statement_of(result: RoundResult) -> bytes:
    """What a proof on demand of this result must show: its commitments have its Gram matrix."""
    return statement(result.proof, result.gram)


def statement(commitments: bytes, gram: Sequence[int]) -> bytes:
    """Of 64 bytes a slot and the upper triangle: the hash that the contract holds an aggregator to."""
    if len(commitments) % curve.SIZE:
        raise ValueError("commitments have 64 bytes each")
    return hashed_statement(commitments, keccak(b"".join(entry.to_bytes(_WORD, "big") for entry in gram)))


def hashed_statement(commitments: bytes, gram: bytes) -> bytes:
    """`statement`, of the hash of the upper triangle's words."""
    return bytes(keccak(encode(["bytes32", "bytes32"], [keccak(commitments), gram])))


def _taken(number: int | None) -> int:
    if number is None:
        raise FairshareError(Reason.INTEGRITY, "a result pays an empty seat", "use another endpoint")
    return number
