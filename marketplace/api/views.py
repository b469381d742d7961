"""From histories and replays to answers; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from marketplace.api import models as m
from marketplace.audit.history import History
from marketplace.audit.replay import Replay
from marketplace.audit.report import AuditReport, Check
from marketplace.audit.rounds import RoundReplay, Theme
from marketplace.chain import events as e
from marketplace.chain.types import NATIVE_COIN, Address, Project, Terms
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest
from zk.curve import Point

_OF_ROUND = (Theme.SUBMISSIONS, Theme.JUDGEMENT, Theme.PAYMENTS, Theme.COMMITMENT)


def summary(project: int, state: Project, terms: Terms) -> m.ProjectSummary:
    """A project in a list."""
    return m.ProjectSummary(
        project=project,
        owner=state.owner,
        status=state.status.name.lower(),
        round=state.round,
        rounds=terms.rounds,
        slots=terms.slots,
        token=terms.token,
        reward=str(terms.reward),
        spec=from_digest(terms.spec),
    )


def project_shown(
    block: int,
    project: int,
    state: Project,
    terms: Terms,
    trainers: Iterable[Address],
    aggregators: Iterable[Address],
) -> m.ProjectShown:
    """A project's state and terms."""
    return m.ProjectShown(
        block_number=block,
        project=project,
        owner=state.owner,
        status=state.status.name.lower(),
        round=state.round,
        join_deadline=state.join_deadline,
        submit_deadline=state.submit_deadline,
        result_deadline=state.result_deadline,
        aggregator_index=state.aggregator_index,
        trainers=[_holder(trainer) for trainer in trainers],
        aggregators=list(aggregators),
        escrow=str(state.escrow),
        pot=str(state.pot),
        model=_point(state.model),
        terms=_terms(terms),
    )


def round_summary(replayed: RoundReplay) -> m.RoundSummary:
    """A round in a list."""
    posted = replayed.posted
    end = posted or replayed.skipped
    return m.RoundSummary(
        round=replayed.number,
        outcome=str(replayed.outcome),
        submitted=list(members(replayed.submitted)),
        omitted=list(members(end.omitted)) if end else [],
        merged=list(members(posted.merged)) if posted else [],
        struck=list(members(posted.struck)) if posted else [],
        paid=str(sum(payment.amount for payment in replayed.payments)),
        aggregator=posted.aggregator if posted else None,
        model=from_digest(posted.model) if posted else None,
        transaction=_hash(end) if end else None,
    )


def round_shown(history: History, replayed: Replay, round_: RoundReplay) -> m.RoundShown:
    """A round in full."""
    posted, settled = round_.posted, round_.settlement
    return m.RoundShown(
        block_number=history.block.number,
        project=history.project,
        round=round_.number,
        outcome=str(round_.outcome),
        submit_deadline=round_.submit_deadline,
        result_deadline=round_.result_deadline,
        slots=[_slot(round_, slot) for slot in range(history.terms.slots)],
        gram=[str(entry) for entry in settled.gram.triangle] if settled else None,
        budget=str(settled.budget) if settled else None,
        pot=str(settled.pot) if settled else None,
        aggregator=posted.aggregator if posted else None,
        fee=str(posted.fee) if posted else None,
        timeouts=[
            m.TimeoutShown(aggregator=late.aggregator, slashed=str(late.slashed), transaction=_hash(late))
            for late in round_.timeouts
        ],
        model=_point(round_.model),
        model_cid=from_digest(posted.model) if posted else None,
        proof_transaction=_hash(posted) if posted else None,
        violations=[str(wrong) for theme in _OF_ROUND for wrong in replayed.about(theme, round_.number)],
    )


def payments_of(history: History) -> list[m.PaymentShown]:
    """All credits of a project in the chain's order."""
    found = []
    for event in history.events:
        match event:
            case e.TrainerPaid():
                found.append(_payment("contribution", event.trainer, event.round, event.amount, event))
            case e.ResultPosted() if event.fee:
                found.append(_payment("fee", event.aggregator, event.round, event.fee, event))
            case e.ProjectEnded() if event.refund:
                found.append(_payment("refund", history.state.owner, None, event.refund, event))
    return found


def payouts(
    history: History, replayed: Replay, claimable: Mapping[Address, int], offset: int, limit: int
) -> m.Payouts:
    """Who got what; `claimable` by account, the accounts to show."""
    payments = payments_of(history)
    credited: Counter[str] = Counter()
    for payment in payments:
        credited[payment.account] += int(payment.amount)
    slashed: Counter[str] = Counter()
    for round_ in replayed.rounds:
        for strike in round_.strikes:
            slashed[strike.trainer] += strike.slashed
        for late in round_.timeouts:
            slashed[late.aggregator] += late.slashed
    return m.Payouts(
        block_number=history.block.number,
        project=history.project,
        token=history.terms.token,
        reward=str(history.terms.reward),
        paid=str(replayed.paid),
        fees=str(replayed.fees),
        refund=str(replayed.refund),
        slashed=str(replayed.slashed),
        held=str(history.state.escrow + history.state.pot),
        accounts=[
            m.AccountShown(
                account=account,
                credited=str(credited[account]),
                slashed=str(slashed[account]),
                locked=str(replayed.members.locked.get(account, 0)),
                claimable=str(amount),
            )
            for account, amount in claimable.items()
        ],
        total=len(payments),
        offset=offset,
        payments=payments[offset : offset + limit],
    )


def audit_shown(block: int, project: int, report: AuditReport) -> m.AuditShown:
    """An audit's report."""
    first = report.first_failure
    return m.AuditShown(
        block_number=block,
        project=project,
        ok=report.ok,
        first=_check(first) if first else None,
        checks=[_check(check) for check in report.checks],
    )


def _slot(round_: RoundReplay, slot: int) -> m.SlotShown:
    trainer = _holder(round_.trainers[slot]) if slot < len(round_.trainers) else None
    submission, settled, end = round_.submission_of(slot), round_.settlement, round_.posted or round_.skipped
    scored = settled is not None and slot in settled.judgement.present
    return m.SlotShown(
        slot=slot,
        trainer=trainer,
        commitment=_point(Point(submission.x, submission.y)) if submission else None,
        position=submission.position if submission else None,
        update=from_digest(submission.blob) if submission else None,
        submitted_in=_hash(submission) if submission else None,
        omitted=bool(end and end.omitted >> slot & 1),
        merged=bool(round_.posted and round_.posted.merged >> slot & 1),
        struck=bool(round_.posted and round_.posted.struck >> slot & 1),
        krum_score=str(settled.judgement.scores[slot]) if settled and scored else None,
        contribution=str(settled.judgement.contributions[slot]) if settled and scored else None,
        share=settled.shares[slot] if settled and scored else None,
        paid=str(sum(payment.amount for payment in round_.payments if payment.trainer == trainer)),
        slashed=str(sum(strike.slashed for strike in round_.strikes if strike.trainer == trainer)),
    )


def _terms(terms: Terms) -> m.TermsShown:
    return m.TermsShown(
        token=terms.token,
        reward=str(terms.reward),
        trainer_stake=str(terms.trainer_stake),
        aggregator_bond=str(terms.aggregator_bond),
        aggregator_fee=str(terms.aggregator_fee),
        spec=from_digest(terms.spec),
        circuit="0x" + terms.circuit.hex(),
        slots=terms.slots,
        faults=terms.faults,
        rounds=terms.rounds,
        join_window=terms.join_window,
        submit_window=terms.submit_window,
        result_window=terms.result_window,
        score_rule=terms.score_rule.name.lower(),
        strike_factor=terms.strike_factor,
        strike_slash=terms.strike_slash,
        duplicate_cosine=terms.duplicate_cosine,
        max_norm_squared=str(terms.max_norm_squared),
        initial_model=_point(terms.initial_model),
    )


def _payment(kind: str, account: Address, round_: int | None, amount: int, event: e.Event) -> m.PaymentShown:
    return m.PaymentShown(
        kind=kind,
        account=account,
        round=round_,
        amount=str(amount),
        block=event.block_number,
        transaction=_hash(event),
    )


def _check(check: Check) -> m.CheckShown:
    return m.CheckShown(name=check.name, ok=check.ok, detail=check.detail)


def _point(point: Point) -> m.Point:
    return m.Point(x=str(point.x), y=str(point.y))


def _holder(account: Address) -> Address | None:
    return None if account == NATIVE_COIN else account


def _hash(event: e.Event) -> str:
    return "0x" + event.transaction_hash.hex()
