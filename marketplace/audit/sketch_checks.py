"""The checks of a round on the sketch path that the exact path does not have, in order."""

from __future__ import annotations

from collections.abc import Iterator

from marketplace.audit import merges
from marketplace.audit.dispute_checks import check_dispute
from marketplace.audit.report import Check, unchecked
from marketplace.audit.rounds import CohortReplay, RoundReplay, Theme
from marketplace.audit.run import Run
from marketplace.protocol.sketch import Sketcher


def sketch_checks(run: Run, round_: RoundReplay) -> Iterator[Check]:
    """Seed, disputes; of results that stand also manifest, leaves and model, and the sum of the merged sketches."""
    name, number = f"round {round_.number}", round_.number
    if round_.drawn is not None:
        detail = f"the seed is that of block {round_.drawn.block_number - 1}"
        yield run.check(f"{name}: {Theme.SEED}", run.holds(Theme.SEED, number, detail))
    if round_.disputes:
        detail = f"{len(round_.disputes)} questions, and what was answered, are about what the results stated"
        yield run.check(f"{name}: {Theme.DISPUTES}", run.holds(Theme.DISPUTES, number, detail))
        for index, dispute in enumerate(round_.disputes):
            what = f"{name}: answer {index}" if len(round_.disputes) > 1 else f"{name}: answer"
            if dispute.shown is not None or dispute.answer is not None:
                yield run.check(what, lambda dispute=dispute: check_dispute(run, round_, dispute))  # type: ignore[misc]
    if round_.stands:
        yield from _published(run, round_)


def _published(run: Run, round_: RoundReplay) -> Iterator[Check]:
    moving = round_.moving
    for cohort in moving:
        name = f"round {round_.number}" + (f", cohort {cohort.index}" if len(round_.cohorts) > 1 else "")
        before = _before(run, cohort)
        yield run.check(f"{name}: manifest", lambda c=cohort: merges.check_manifest(run.need_shelf(), c))  # type: ignore[misc]
        yield run.check(
            f"{name}: leaves",
            lambda c=cohort, b=before: merges.check_leaves(run.need_shelf(), c, b, _initial(run)),  # type: ignore[misc]
        )
        yield run.check(f"{name}: model", lambda c=cohort: merges.check_published(run.need_shelf(), c))  # type: ignore[misc]
    if moving:
        before = _before(run, moving[0])
        yield run.check(
            f"round {round_.number}: sum of sketches",
            lambda: merges.check_sum(run.need_shelf(), moving, before, _initial(run), _sketcher(run, round_)),
        )


def _before(run: Run, cohort: CohortReplay) -> CohortReplay | None:
    """The result that made the model that another one moved; None: it is the initial one."""
    standing = [other for round_ in run.replayed.rounds if round_.stands for other in round_.moving]
    place = standing.index(cohort)
    return standing[place - 1] if place else None


def _initial(run: Run) -> str:
    return run.need_spec().initial_model


def _sketcher(run: Run, round_: RoundReplay) -> Sketcher:
    if round_.drawn is None:
        raise unchecked("the round's seed was not drawn")
    return Sketcher(round_.drawn.seed, run.need_files().shape.length)
