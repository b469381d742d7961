"""An aggregator's turn in a round: collect all cohorts' updates, settle what is absent, conclude one after another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aggregator.arrived import arrived
from aggregator.batching import list_of
from aggregator.behaviour import Behaviour
from aggregator.collecting import Case, collect
from aggregator.complaining import may_complain, may_wait, settle_complaint
from aggregator.concluding import conclude, is_ready
from aggregator.kept import Kept
from aggregator.path import Path
from aggregator.previewing import Ahead
from marketplace.chain.types import Block, Cohort, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.reorganisation import on_chain
from marketplace.protocol.krum import quorum

# Trainers see the block that closes the window when we do, and only then serve what they submitted: who asks their
# storage a moment too early hears of it late.
SERVED_AFTER_S = 0.25


@dataclass
class Turn:
    """What is known of one round, by cohort. What must survive this process is in the journal."""

    round: int
    path: Path
    behaviour: Behaviour
    ahead: Ahead
    _cases: dict[int, Case] = field(default_factory=dict)
    _listless: set[int] = field(default_factory=set)  # cohorts with a batch whose list is still awaited
    _given_up: bool = False
    _closed_at: float = field(default_factory=time.monotonic)  # when we saw that the window is

    def act(self, node: ProjectDaemon, project: Project, block: Block) -> bool:
        """Do what is due in this turn, as far as it can be done now; whether a cohort, at most one, was concluded.

        `project`, as read at `block`, is in round `self.round`, its window is closed, and the turn is ours.
        """
        if not self.behaviour.concludes or self._given_up or not self.path.may_begin(project):
            return False
        self._look(node, project, block)
        cases = list(self._cases.values())
        time.sleep(max(0.0, self._closed_at + SERVED_AFTER_S - time.monotonic()))
        collect(node, self.path, project, cases, block)
        # Proofs take long: first everything is complained about that has to be, while that is possible.
        settled = [settle_complaint(node, self.path, self.behaviour, project, case, block) for case in cases]
        if not all(settled) or self._listless:
            return False
        ready = self._next(node, project, block)
        if ready is None:
            return False
        self._begin(node, project, block)
        self.ahead.finish(node, project, ready)
        done = conclude(node, self.path, self.behaviour, project, ready, block)
        self._given_up = self.behaviour.lies
        return done

    def _begin(self, node: ProjectDaemon, project: Project, block: Block) -> None:
        """Results are posted one after another, but their proofs are made at the same time."""
        ready = [case for case in self._cases.values() if is_ready(project, case, block)]
        whole = len(ready) == len(self._cases)
        self.ahead.begin(node, self.path, self.behaviour, project, ready, whole=whole, block=block)

    def _look(self, node: ProjectDaemon, project: Project, block: Block) -> None:
        """Reads the cohorts that are not concluded and may be: anyone skips those without a quorum."""
        terms, client = node.context.terms, node.context.client
        for index in range(project.cohorts):
            cohort = client.cohort(node.context.project, index, block=block.number)
            may_be_merged = (cohort.submitted | cohort.batched) & ~cohort.complained
            awaited = (
                cohort.round == project.round
                and not cohort.concluded
                and may_be_merged.bit_count() >= quorum(terms.slots, terms.faults)
            )
            if not awaited:
                self._cases.pop(index, None)
                self._listless.discard(index)
                continue
            known_case = self._cases.get(index)
            # A reorganisation may have changed what arrived, and in which order.
            if (
                known_case is not None
                and index not in self._listless
                and _is_same(known_case, cohort, project)
            ):
                known_case.cohort = cohort
                continue
            batch = list_of(node, project, index, cohort) if cohort.batched else None
            known = arrived(node, project, index, cohort, block, batch)
            if not on_chain(client, block):  # read before and after: it would be kept, and look whole
                raise FairshareError(
                    Reason.UNAVAILABLE, "the chain was reorganised while submissions were read", "read again"
                )
            self._cases[index] = Case(index, cohort, known)
            if cohort.batched and batch is None and may_wait(terms, project, block.timestamp):
                self._listless.add(index)
            else:
                self._listless.discard(index)

    def _next(self, node: ProjectDaemon, project: Project, block: Block) -> Case | None:
        """The case to conclude. Models are named by what was merged before them: one under way comes first."""
        ready = [case for case in self._cases.values() if is_ready(project, case, block)]
        begun = Kept(node.journal, node.context.project, project.round).posting(project.aggregator_index)
        first = [case for case in ready if case.index == begun]
        for case in self._cases.values():
            if case.unanswered and not may_complain(node.context.terms, project, block.timestamp):
                node.log.error(
                    "updates are unknown, and it is too late to complain about them",
                    round=project.round,
                    cohort=case.index,
                    slots=sorted(case.unanswered),
                )
        return next(iter(first or ready), None)


def _is_same(before: Case, now: Cohort, project: Project) -> bool:
    """Whether the same submissions arrived in the same order, and the same reference."""
    then = before.cohort
    reference = project.reference_digest if project.reference_round == project.round else None
    return (then.chain, then.batch_root, then.submitted, then.batched, before.arrived.reference) == (
        now.chain,
        now.batch_root,
        now.submitted,
        now.batched,
        reference,
    )
