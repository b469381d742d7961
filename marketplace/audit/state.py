"""What the market's contract holds for a project, against what its events amount to."""

from __future__ import annotations

import dataclasses

from eth_utils.crypto import keccak

from marketplace.audit.history import History
from marketplace.audit.replay import Replay
from marketplace.audit.report import failed
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Submission
from zk.curve import Point, to_bytes

DIGEST_BYTES = 31


def check_state(client: MarketClient, history: History, replayed: Replay) -> str:
    """State, members and submissions in the contract's storage are those that the events give."""
    at = history.block.number
    held, derived = dataclasses.asdict(history.state), dataclasses.asdict(replayed.state)
    for name, value in held.items():
        if value != derived[name]:
            raise failed(f"the contract's {name} is {value}, but the events give {derived[name]}")
    if history.trainers != replayed.members.by_slot():
        raise failed("the contract's trainers are not those that joined and stayed")
    if history.aggregators != tuple(replayed.members.aggregators):
        raise failed("the contract's list of aggregators is not the one that the events give")
    count = 0
    for round_ in replayed.rounds:
        for slot in range(history.terms.slots):
            submission = round_.submission_of(slot)
            due = None
            if submission is not None:
                count += 1
                due = Submission(digest_of(Point(submission.x, submission.y)), submission.position)
            if client.submission(history.project, round_.number, slot, block=at) != due:
                raise failed(
                    f"round {round_.number}, slot {slot}: the contract holds another submission than its event"
                )
    return f"status {history.state.status.name}, {count} submissions: storage agrees with the events"


def digest_of(commitment: Point) -> bytes:
    """What the contract keeps of a commitment: the first 31 bytes of keccak256(x, y)."""
    return bytes(keccak(to_bytes(commitment))[:DIGEST_BYTES])
