"""From what the chain says of projects to answers; pure."""

from __future__ import annotations

from collections.abc import Iterable

from marketplace.api import models as m
from marketplace.api.parts import hexed, hexed_or_none, point_of
from marketplace.audit.report import AuditReport, Check
from marketplace.chain.types import Account, Challenge, ChallengeKind, Circuit, Project, Settlement, Terms
from marketplace.storage.cid import from_digest


def summary(project: int, state: Project, terms: Terms) -> m.ProjectSummary:
    """A project in a list."""
    return m.ProjectSummary(
        project=project,
        owner=state.owner,
        status=state.status.name.lower(),
        round=state.round,
        rounds=terms.rounds,
        slots=terms.slots,
        cohorts=terms.cohorts,
        places=terms.trainers,
        path=_path(terms),
        score_rule=terms.score_rule.name.lower(),
        settlement=_settlement(terms.settlement),
        token=terms.token,
        reward=str(terms.reward),
        spec=from_digest(terms.spec),
    )


def project_shown(
    block: int,
    project: int,
    state: Project,
    terms: Terms,
    aggregators: Iterable[Account],
    challenge: Challenge,
    circuit: Circuit,
) -> m.ProjectShown:
    """A project's state and terms."""
    return m.ProjectShown(
        block_number=block,
        project=project,
        owner=state.owner,
        status=state.status.name.lower(),
        round=state.round,
        last_round=state.last_round,
        cohorts=state.cohorts,
        seed=hexed(state.seed) if state.drawn else None,
        width=circuit.length,
        seed_round=state.seed_round or None,
        sketch_seed=hexed_or_none(state.sketch_seed),
        revealed=state.revealed,
        join_deadline=state.join_deadline,
        submit_deadline=state.submit_deadline,
        answer_deadline=state.answer_deadline,
        result_deadline=state.result_deadline,
        challenge_deadline=state.challenge_deadline,
        aggregator_index=state.aggregator_index,
        trainer_count=state.trainer_count,
        aggregators=[
            m.AggregatorPart(index=index, aggregator=account.holder, earned=str(account.earned))
            for index, account in enumerate(aggregators)
        ],
        challenge=_challenge(challenge, state),
        escrow=str(state.escrow),
        pot=str(state.pot),
        model=point_of(state.model),
        terms=_terms(terms),
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


def _challenge(challenge: Challenge, state: Project) -> m.ChallengeOpen | None:
    if challenge.kind is ChallengeKind.NONE:
        return None
    return m.ChallengeOpen(
        kind=challenge.kind.name.lower(),
        challenger=challenge.challenger,
        round=state.outcome_round,
        deadline=challenge.deadline,
    )


def _terms(terms: Terms) -> m.TermsShown:
    return m.TermsShown(
        token=terms.token,
        reward=str(terms.reward),
        trainer_stake=str(terms.trainer_stake),
        aggregator_bond=str(terms.aggregator_bond),
        aggregator_fee=str(terms.aggregator_fee),
        complaint_deposit=str(terms.complaint_deposit),
        reveal_bond=str(terms.reveal_bond),
        spec=from_digest(terms.spec),
        circuit=hexed(terms.circuit),
        validation=hexed_or_none(terms.validation),
        aggregators=hexed_or_none(terms.aggregators),
        slots=terms.slots,
        faults=terms.faults,
        cohorts=terms.cohorts,
        trainers=terms.trainers,
        rounds=terms.rounds,
        join_window=terms.join_window,
        batch_window=terms.batch_window,
        submit_window=terms.submit_window,
        answer_window=terms.answer_window,
        result_window=terms.result_window,
        challenge_window=terms.challenge_window,
        settlement=_settlement(terms.settlement),
        score_rule=terms.score_rule.name.lower(),
        fallback_rule=terms.fallback_rule.name.lower(),
        reference_share=terms.reference_share,
        min_reputation=terms.min_reputation,
        strike_factor=terms.strike_factor,
        strike_slash=terms.strike_slash,
        duplicate_cosine=terms.duplicate_cosine,
        max_norm_squared=str(terms.max_norm_squared),
        path=_path(terms),
        chunks=terms.chunks,
        chunk_length=terms.chunk_length,
        initial_model=point_of(terms.initial_model),
    )


def _path(terms: Terms) -> str:
    return "sketch" if terms.chunks else "exact"


def _settlement(settlement: Settlement) -> str:
    return settlement.name.lower().replace("_", "-")


def _check(check: Check) -> m.CheckShown:
    return m.CheckShown(name=check.name, ok=check.ok, detail=check.detail)
