"""Complaining about updates that cannot be opened: when, about how many, and once for each cohort and turn."""

from __future__ import annotations

from collections.abc import Set

from aggregator.behaviour import Behaviour
from aggregator.collecting import Case
from aggregator.path import Path
from marketplace.chain.types import Block, Project, Terms
from marketplace.node.daemon import ProjectDaemon

COMPLAINED = "complained"  # journal: by cohort and turn
PATIENCE = 0.4  # share of the answer window, from the turn's start, in which missing updates are waited for
FETCH_SHARE = 0.15  # of it, for one attempt at an update
MOST_FETCH_S = 5.0


def fetch_timeout(terms: Terms) -> float:
    """Seconds for one attempt at an update: the next one follows with the next block."""
    return min(MOST_FETCH_S, max(0.5, FETCH_SHARE * window(terms)))


def may_wait(terms: Terms, project: Project, now: int) -> bool:
    """Whether what nobody serves yet is still waited for."""
    return now < project.turn_start + PATIENCE * window(terms)


def may_complain(terms: Terms, project: Project, now: int) -> bool:
    """Whether the contract takes complaints in this turn."""
    return now < complained_until(terms, project)


def complained_until(terms: Terms, project: Project) -> int:
    """Block time from which the contract takes no complaints in this turn."""
    return min(project.turn_start + terms.answer_window, project.result_deadline)


def affordable(unknown: Set[int], open_complaints: int, locked: int, deposit: int) -> frozenset[int]:
    """As many slots, from the lowest, as the bond left pays deposits for; `open_complaints` of the cohort so far."""
    most = len(unknown) if deposit == 0 else max(0, locked // deposit - open_complaints)
    return frozenset(sorted(unknown)[:most])


def settle_complaint(
    node: ProjectDaemon, path: Path, behaviour: Behaviour, project: Project, case: Case, block: Block
) -> bool:
    """Complain where it is time to; whether it is settled, in this turn, what is absent and what is not.

    False: something is waited for, or what the contract holds has just changed.
    """
    number, index, terms = node.context.project, project.aggregator_index, node.context.terms
    complained = f"{COMPLAINED}:{case.index}:{index}"
    if node.is_seen(project.round, complained, block) or not may_complain(terms, project, block.timestamp):
        return True
    if case.missing and may_wait(terms, project, block.timestamp):
        node.log.info("waiting for updates", round=project.round, cohort=case.index, missing=case.missing)
        return False
    wanted = case.unanswered | behaviour.victim(set(case.usable()))
    if not wanted:
        return True
    slots = affordable(wanted, len(case.complained), _to_spend(node, block), terms.complaint_deposit)
    if not slots:
        node.log.error("too little of the bond is left to complain", round=project.round, cohort=case.index)
        return True
    node.log.warning(
        "complaining",
        round=project.round,
        cohort=case.index,
        slots=sorted(slots),
        unopenable=case.unopenable,
        missing=case.missing,
    )
    call = path.complaint(node, project, case, slots)
    intent = f"complain:{number}:{project.round}:{case.index}:{index}"
    if node.attempt(intent, call, project.round, complained_until(terms, project)):
        node.see(project.round, complained, node.context.client.latest_block())
    return False


def _to_spend(node: ProjectDaemon, block: Block) -> int:
    """What deposits can come from: half of the bond stays whole, free stake is locked where that is too little."""
    client, terms = node.context.client, node.context.terms
    locked = client.membership(node.context.project, node.sender.address, block=block.number).locked
    free = client.vault.free(terms.token, node.sender.address, block=block.number)
    return max(0, locked + free - terms.aggregator_bond // 2)


def window(terms: Terms) -> int:
    """Seconds in which complaints are possible: while both windows last."""
    return min(terms.answer_window, terms.result_window)
