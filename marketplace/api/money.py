"""Who earned what, and what was paid out; pure."""

from __future__ import annotations

from marketplace.api import models as m
from marketplace.api.chronicle import Chronicle, numbered
from marketplace.api.parts import transaction_of
from marketplace.chain import events as e
from marketplace.chain.types import Address
from marketplace.node.seats import cohort_numbers


def payments_of(chronicle: Chronicle) -> list[m.PaymentShown]:
    """Earnings that stand, the refund and claims, in the chain's order."""
    trainers = numbered(chronicle.events)
    standing = set(chronicle.results())
    found: list[m.PaymentShown] = []
    for event in chronicle.events:
        match event:
            case e.ResultPosted() if event in standing:
                found += _earned(chronicle, event, trainers)
            case e.ProjectEnded() if event.refund:
                found.append(_payment("refund", chronicle.state.owner, None, event.refund, event))
            case e.Claimed():
                found.append(_payment("claim", event.account, None, event.amount, event))
    return found


def payouts(chronicle: Chronicle, offset: int, limit: int) -> m.Payouts:
    """What a project's money became."""
    payments = payments_of(chronicle)

    def total(kind: str) -> str:
        return str(sum(int(payment.amount) for payment in payments if payment.kind == kind))

    late, undone = chronicle.of(e.AggregatorTimedOut), chronicle.of(e.RoundUndone)
    return m.Payouts(
        block_number=chronicle.block.number,
        project=chronicle.project,
        token=chronicle.terms.token,
        reward=str(chronicle.terms.reward),
        paid=total("contribution"),
        fees=total("fee"),
        refund=total("refund"),
        struck=str(sum(strike.slashed for strike in chronicle.of(e.TrainerStruck))),
        bonds_lost=str(sum(event.slashed for event in late) + sum(event.slashed for event in undone)),
        held=str(chronicle.state.escrow + chronicle.state.pot),
        claimed=total("claim"),
        total=len(payments),
        offset=offset,
        payments=payments[offset : offset + limit],
    )


def accounts_of(chronicle: Chronicle) -> list[Address]:
    """Owner, aggregators, trainers, those that left included; each once."""
    found = [chronicle.state.owner]
    found += [joined.aggregator for joined in chronicle.of(e.AggregatorJoined)]
    found += [joined.trainer for joined in chronicle.of(e.TrainerJoined)]
    return list(dict.fromkeys(found))


def _earned(
    chronicle: Chronicle, posted: e.ResultPosted, trainers: tuple[Address, ...]
) -> list[m.PaymentShown]:
    numbers = cohort_numbers(chronicle.state, chronicle.terms.slots, posted.round, posted.cohort)
    found = [
        _payment("contribution", trainers[number], posted.round, amount, posted)
        for number, amount in zip(numbers, posted.amounts, strict=True)
        if amount and number is not None
    ]
    if posted.fee:
        found.append(_payment("fee", posted.aggregator, posted.round, posted.fee, posted))
    return found


def _payment(kind: str, account: Address, round_: int | None, amount: int, event: e.Event) -> m.PaymentShown:
    return m.PaymentShown(
        kind=kind,
        account=account,
        round=round_,
        amount=str(amount),
        block=event.block_number,
        transaction=transaction_of(event),
    )
