"""What the market's contract holds for a project, against what its events amount to."""

from __future__ import annotations

import dataclasses

from marketplace.audit.history import History
from marketplace.audit.replay import Replay
from marketplace.audit.report import failed
from marketplace.audit.rounds import CohortReplay
from marketplace.chain.client import MarketClient
from marketplace.chain.types import AbiStruct, Cohort, Member
from marketplace.node.arrivals import rebuild

_BATCH = ("batch_index", "batch_root")  # stale where the round has no batch


def check_state(client: MarketClient, history: History, replayed: Replay) -> str:
    """State, members, cohorts and challenge in the contract's storage are those that the events give."""
    at, members = history.block.number, replayed.members
    unknown = () if replayed.outcome_known else ("outcome",)
    _compare("", history.state, replayed.state, unknown)
    if history.trainers != members.trainer_accounts():
        raise failed("the contract's trainers, or what they earned, are not what the events give")
    if history.aggregators != members.aggregator_accounts():
        raise failed("the contract's aggregators, or what they earned, are not what the events give")
    accounts = list(replayed.claimable)
    views = [client.market_view("membershipOf", history.project, account) for account in accounts]
    for account, held in zip(accounts, client.call_many("read members", views, block=at), strict=True):
        _compare(f"of {account} ", Member.from_abi(held), members.membership(account))
    unproved = () if replayed.outcome_known else ("statement",)
    _compare("of the challenge ", client.challenge(history.project, block=at), replayed.challenge, unproved)
    if history.terms.chunks:
        _compare_sketched(client, history, replayed)
    current = replayed.rounds[-1] if replayed.rounds else None
    for cohort in current.cohorts if current is not None else ():
        kept = client.cohort(history.project, cohort.index, block=at)
        due = cohort_of(current.number if current is not None else 0, cohort)
        _compare(f"of cohort {cohort.index} ", kept, due, () if cohort.batched else _BATCH)
    return f"status {history.state.status.name}, {len(accounts)} accounts: storage agrees with the events"


def _compare_sketched(client: MarketClient, history: History, replayed: Replay) -> None:
    """The answer that can be refuted, and the chunks that complaints name."""
    at, project = history.block.number, history.project
    held = client.call_many(
        "read the standing answer", [client.market_view("standingAnswerOf", project)], block=at
    )
    if held != [replayed.standing_answer]:
        raise failed("the answer that the contract lets stand is not the one that the events give")
    named = {
        (round_.number, cohort.index, slot): chunk
        for round_ in replayed.rounds
        for cohort in round_.cohorts
        for slot, chunk in cohort.named.items()
    }
    views = [client.market_view("complainedChunkOf", project, *place) for place in named]
    for place, chunk in zip(named, client.call_many("read complaints", views, block=at), strict=True):
        if chunk != named[place]:
            where = "round {}, cohort {}, slot {}".format(*place)
            raise failed(f"{where}: the complaint names chunk {chunk}, but the events give {named[place]}")


def cohort_of(round: int, cohort: CohortReplay) -> Cohort:
    """A cohort's round as the contract holds it; all zero before anything touched it."""
    if not cohort.touched:
        return Cohort(0, 0, 0, 0, 0, False, 0, bytes(32), bytes(32))
    batch = cohort.batch
    return Cohort(
        round=round,
        submitted=cohort.submitted,
        batched=cohort.batched,
        complained=cohort.complained,
        answered=cohort.answered,
        concluded=cohort.concluded,
        batch_index=batch.aggregator_index if batch is not None else 0,
        chain=rebuild(cohort.arrived, None)[1],
        batch_root=batch.root if batch is not None else bytes(32),
    )


def _compare(what: str, held: AbiStruct, derived: AbiStruct, unknown: tuple[str, ...] = ()) -> None:
    due = dataclasses.asdict(derived)  # type: ignore[call-overload]
    for name, value in dataclasses.asdict(held).items():  # type: ignore[call-overload]
        if name not in unknown and value != due[name]:
            raise failed(f"the contract's {name} {what}is {value!r}, but the events give {due[name]!r}")
