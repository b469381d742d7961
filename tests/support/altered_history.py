"""A project's history with something in it altered, and whether the replay finds it."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from marketplace.audit.history import History
from marketplace.audit.money import check_reputation
from marketplace.audit.replay import Replay, replay
from marketplace.audit.report import AuditReport, run_check
from marketplace.chain import events as e
from marketplace.chain.abi_struct import AbiStruct
from marketplace.chain.types import Address, ChallengeKind, Status
from zk.curve import Point

# What only calldata, receipts, the vault or blobs can tell.
NOT_REPLAYED = {
    "block_number",
    "log_index",
    "transaction_hash",
    "project",
    "encryption_key",
    "contact",
    "blob",
    "list",
    "sealed_key",
    "packed",
    "challenger",
}
_ANYBODY = Address("0x" + "12" * 20)


def holds(history: History) -> bool:
    """Whether the replay finds nothing and ends in the state, with the members and records, that the chain holds."""
    found: Replay = replay(history)
    recorded = AuditReport((run_check("reputation", lambda: check_reputation(history, found)),))
    return (
        not found.violations
        and found.state == history.state
        and found.members.trainer_accounts() == history.trainers
        and found.members.aggregator_accounts() == history.aggregators
        and recorded.ok
    )


def is_opened(history: History, event: Any) -> bool:
    """Whether a result used what was submitted: else only the call tells its digest."""
    cohorts = [
        cohort
        for round_ in replay(history).rounds
        if round_.number == event.round
        for cohort in round_.cohorts
    ]
    if isinstance(event, e.ReferenceSubmitted):
        return any(cohort.posted and not cohort.complained >> history.terms.slots & 1 for cohort in cohorts)
    return cohorts[event.cohort].posted is not None


def is_only_called(history: History, place: int, name: str) -> bool:
    """Whether the field is the kind of a question that nobody answered: the round goes, whatever was asked."""
    if name != "kind" or not isinstance(history.events[place], e.Challenged):
        return False
    ends = (e.ChallengeAnswered, e.RoundUndone)
    return isinstance(next(it for it in history.events[place + 1 :] if isinstance(it, ends)), e.RoundUndone)


def other(value: Any, data: st.DataObject) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case Status() | ChallengeKind():
            kinds = type(value)
            return data.draw(st.sampled_from([kind for kind in kinds if kind is not value]))
        case int():
            return value ^ (1 << data.draw(st.sampled_from([0, 1, 7, 15, 63, 200])))
        case AbiStruct():
            names = [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
            name = data.draw(st.sampled_from([name for name in names if getattr(value, name) != ()]))
            return dataclasses.replace(value, **{name: other(getattr(value, name), data)})  # type: ignore[type-var]
        case Point():
            return Point(value.x ^ 1, value.y)
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case tuple():
            place = data.draw(st.integers(0, len(value) - 1))
            changed = value[place] + 1 if isinstance(value[place], int) else other(value[place], data)
            return (*value[:place], changed, *value[place + 1 :])
        case _:
            return _ANYBODY
