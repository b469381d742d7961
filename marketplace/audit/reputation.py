"""Whether those who joined had the reputation that the terms ask for: the registry replayed, over all projects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marketplace.audit.history import History
from marketplace.audit.report import failed
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Address
from marketplace.protocol.reputation import Record, faulted, grown, score


def check_floor(client: MarketClient, history: History, from_block: int | None) -> str:
    """Each trainer's score, from the registry's events of all projects, was at the floor when it joined."""
    floor, joined = history.terms.min_reputation, history.of(e.TrainerJoined)
    written = e.fetch(
        client, (e.TrainerRecorded, e.FaultRecorded), from_block=from_block, to_block=history.block.number
    )
    times = {number: client.block(number).timestamp for number in {event.block_number for event in written}}
    for trainer, held in below_floor(written, joined, {**times, **history.times}, floor):
        raise failed(f"{trainer} joined with a score of {held}, but the terms ask for {floor}")
    return f"{len(joined)} trainers joined with a score of {floor} at least"


def below_floor(
    written: Iterable[e.Event], joined: Iterable[e.TrainerJoined], times: Mapping[int, int], floor: int
) -> list[tuple[Address, int]]:
    """Who joined with a lower score than `floor`, and that score; `times` by block, in seconds."""
    records: dict[Address, Record] = {}
    below = []
    for event in sorted((*written, *joined), key=lambda event: (event.block_number, event.log_index)):
        time = times[event.block_number]
        match event:
            case e.TrainerRecorded():
                before = records.get(event.trainer, Record())
                records[event.trainer] = grown(before, event.contribution, time)
            case e.FaultRecorded(as_aggregator=False):
                before = records.get(event.account, Record())
                records[event.account] = faulted(before, time)
            case e.TrainerJoined():
                record = records.get(event.trainer, Record())
                held = score(record.weight, record.updated_at, time)
                if held < floor:
                    below.append((event.trainer, held))
    return below
