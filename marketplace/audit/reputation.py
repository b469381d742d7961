"""Whether those who joined had the reputation that the terms ask for: the registry replayed, over all projects."""

from __future__ import annotations

from marketplace.audit.history import History
from marketplace.audit.report import failed
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Address
from marketplace.protocol.reputation import Record, faulted, grown, score


def check_floor(client: MarketClient, history: History, from_block: int | None) -> str:
    """Each trainer's score, from the registry's events of all projects, was at the floor when it joined."""
    kinds = (e.TrainerRecorded, e.FaultRecorded)
    written = e.fetch(client, kinds, from_block=from_block, to_block=history.block.number)
    times = {number: client.block(number).timestamp for number in {event.block_number for event in written}}
    joined = history.of(e.TrainerJoined)
    records: dict[Address, Record] = {}
    for event in sorted((*written, *joined), key=lambda event: (event.block_number, event.log_index)):
        match event:
            case e.TrainerRecorded():
                before = records.get(event.trainer, Record())
                records[event.trainer] = grown(before, event.contribution, times[event.block_number])
            case e.FaultRecorded(as_aggregator=False):
                before = records.get(event.account, Record())
                records[event.account] = faulted(before, times[event.block_number])
            case e.TrainerJoined():
                record, time = records.get(event.trainer, Record()), history.times[event.block_number]
                held = score(record.weight, record.updated_at, time)
                if held < history.terms.min_reputation:
                    raise failed(
                        f"{event.trainer} joined with a score of {held}, but the terms ask for "
                        f"{history.terms.min_reputation}"
                    )
    return f"{len(joined)} trainers joined with a score of {history.terms.min_reputation} at least"
