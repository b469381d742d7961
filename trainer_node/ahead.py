"""Training for the next round while this one is being proved, on the model that its aggregator announces.

Nothing is trusted: what comes of it is a draft, submitted only where the next round opens with that very model.
One preview a round and aggregator is worked on, in a thread; a false one costs its work, and with differential privacy
a part of the budget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.chain.types import Block, Project, Settlement
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.previews import Market, Preview, asking, fetch_preview
from marketplace.node.seats import seat_in_round
from marketplace.node.telemetry.hooks import Work
from trainer_node.prepared import NAMES, Prepared

DRAFT = "ahead:"  # journal: before the names of what was made for the next round
MODEL = "ahead-model"  # journal: the commitment of the model that it was made from
MISLED = "misled"  # journal, of the project: whether a preview was ever of another model than the round's
ASK_EVERY_S = 0.5

Make = Callable[[Preview], Prepared | None]


@dataclass
class Job:
    """Work for `round`, in a thread that touches the journal for nothing but to pay for privacy."""

    round: int
    aggregator_index: int
    stopped: threading.Event = field(default_factory=threading.Event)  # while it only waits
    preview: Preview | None = None  # once there is one
    prepared: Prepared | None = None
    problem: str | None = None
    thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.thread is not None and not self.thread.is_alive()


@dataclass
class Ahead:
    """A trainer's work ahead in one project; threads of earlier rounds come to nothing by themselves."""

    _job: Job | None = None

    def look(self, node: ProjectDaemon, project: Project, number: int, block: Block, make: Make) -> None:
        """Begin once the window is closed, and write down what has come of it. `number`: ours; `make`: trains."""
        self._keep(node)
        terms, index = node.context.terms, project.aggregator_index
        if terms.settlement is not Settlement.PROVED or block.timestamp < project.submit_deadline:
            return
        following = project.round + 1
        if self._job is not None and (self._job.round, self._job.aggregator_index) == (following, index):
            return
        draft = _draft(node, following)
        if project.round >= project.last_round or (draft is not None and draft.aggregator_index == index):
            return
        if seat_in_round(project, terms.slots, following, number) is None:
            return
        url = node.peers.submission_url(index)
        if url is None:
            return
        self.stop()
        self._job = _begin(node, url, Job(following, index), make)

    def take(self, node: ProjectDaemon, project: Project) -> Prepared | None:
        """What was made for the round that has now opened, waited for if it is on its way; None where it is not of the
        model that the chain holds, or not sealed to the aggregator in turn."""
        job = self._job
        if job is not None and job.round == project.round:
            if job.preview is None or job.preview.commitment != project.model:
                if job.preview is not None:
                    node.journal.put(node.context.project, 0, MISLED, True)
                self.stop()
            elif job.thread is not None:
                with node.telemetry.waiting(Work.TRAINING):
                    job.thread.join()
            self._keep(node)
            self._job = None
        prepared = _draft(node, project.round)
        if prepared is None:
            return None
        x, y = node.journal.get(node.context.project, project.round, MODEL, ("", ""))
        is_false = (x, y) != tuple(map(str, project.model))
        if is_false or prepared.aggregator_index != project.aggregator_index:
            if is_false:
                node.journal.put(node.context.project, 0, MISLED, True)
            node.log.warning("trained on another model than the chain has", round=project.round)
            forget(node, project.round)
            return None
        node.log.info("trained ahead", round=project.round)
        return prepared

    def stop(self) -> None:
        """Wait for no more previews, and want nothing of what is under way."""
        if self._job is not None:
            self._job.stopped.set()
            self._job = None

    def _keep(self, node: ProjectDaemon) -> None:
        """Write down a draft, with the model that it is of: both or none."""
        job = self._job
        if job is None or not job.over:
            return
        if job.prepared is not None and job.preview is not None:
            with node.journal.atomic():
                job.prepared.keep(node.journal, node.context.project, DRAFT)
                model = [str(part) for part in job.preview.commitment]
                node.journal.put(node.context.project, job.round, MODEL, model)
            job.prepared = None
        elif job.problem is not None:
            node.log.warning("nothing trained ahead", round=job.round, problem=job.problem)
            job.problem = None


def is_misled(node: ProjectDaemon) -> bool:
    """Whether previews of this project have been false, or came to nothing with their round."""
    return bool(node.journal.get(node.context.project, 0, MISLED, False))


def forget(node: ProjectDaemon, round_: int) -> None:
    """The draft of a round, used or not."""
    with node.journal.atomic():
        for name in (*(DRAFT + name for name in NAMES), MODEL):
            node.journal.delete(node.context.project, round_, name)


def _draft(node: ProjectDaemon, round_: int) -> Prepared | None:
    return Prepared.recall(node.journal, node.context.project, round_, DRAFT)


def _begin(node: ProjectDaemon, url: str, job: Job, make: Make) -> Job:
    client, number = node.context.client, node.context.project
    market = Market(client.chain_id, client.address)
    aggregator = node.peers.aggregator(job.aggregator_index).aggregator

    give_up_at = time.monotonic() + node.context.terms.answer_window + node.context.terms.result_window

    def wait() -> Preview | None:
        with asking() as ask:
            while not job.stopped.wait(ASK_EVERY_S) and time.monotonic() < give_up_at:
                try:
                    found = fetch_preview(ask, url, market, number, job.round - 1, aggregator)
                except FairshareError as error:
                    if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
                        raise
                    continue  # another answer may come
                if found is not None:
                    return found
        return None

    def work() -> None:
        try:
            job.preview = wait()
            if job.preview is not None:
                job.prepared = make(job.preview)
        except FairshareError as error:
            job.problem = error.message

    job.thread = threading.Thread(target=work, name=f"ahead-{number}-{job.round}", daemon=True)
    job.thread.start()
    return job
