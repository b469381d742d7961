"""The checks of a round: for each cohort, and of the model that it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from marketplace.audit import models, proofs, sealed
from marketplace.audit.dispute_checks import check_chunk_answers
from marketplace.audit.report import Check, unchecked
from marketplace.audit.rounds import CohortReplay, RoundReplay, Theme
from marketplace.audit.run import Run
from marketplace.audit.sketch_checks import sketch_checks
from marketplace.audit.steps import check_step
from marketplace.storage.cid import from_digest

_MOVED = {
    False: "it moved by exactly the merged commitments",
    True: "its root is the one that the result stated",  # whether it is true, its leaves say
}


def round_checks(run: Run, round_: RoundReplay) -> Iterator[Check]:
    """The round's checks, in order. The model of the last round that stands is checked at the end of the audit."""
    name, number = f"round {round_.number}", round_.number
    for cohort in round_.cohorts:
        yield from _cohort(run, round_, cohort)
    made = round_.model_result
    if round_.model_answer is not None and made is not None:
        commitment = made.model
        yield run.check(
            f"{name}: challenge",
            lambda: models.check_answered_model(round_, commitment, run.need_committer(), run.need_length()),
        )
    if run.is_sketched:
        yield from sketch_checks(run, round_)
    elif made is not None and round_.stands:
        if run.is_sealed:
            yield from _sealed_to(run, round_)
        if made is not last_model(run)[1]:
            yield run.check(f"{name}: model", lambda: model_check(run, round_, made))
        if len(round_.moving) > 1:
            yield run.check(
                f"{name}: step",
                lambda: check_step(_before(run, round_), _model(run, round_, made), round_.moving),
            )
    for theme in run.untold(number):
        yield run.check(f"{name}: {theme}", run.holds(theme, number, ""))


def _sealed_to(run: Run, round_: RoundReplay) -> Iterator[Check]:
    for cohort in round_.moving:
        name = f"round {round_.number}" + (f", cohort {cohort.index}" if len(round_.cohorts) > 1 else "")
        yield run.check(f"{name}: sealed to", lambda c=cohort: sealed.check_recipients(run, round_, c))  # type: ignore[misc]


def last_model(run: Run, before: int | None = None) -> tuple[RoundReplay | None, CohortReplay | None]:
    """The last round (of those `before` one) whose result stands and moved the model, and that result."""
    for round_ in reversed(run.replayed.rounds):
        if before is not None and round_.number >= before:
            continue
        if round_.stands and round_.model_result is not None:
            return round_, round_.model_result
    return None, None


def model_check(run: Run, round_: RoundReplay, cohort: CohortReplay) -> str:
    """The model that a result published is the one behind the commitment after it."""
    if cohort.posted is None:
        raise unchecked("the round has no result")
    if run.is_sealed:
        return sealed.check_model(run, round_, cohort)
    return models.check_model(
        run.store,
        cohort.posted.model,
        cohort.model,
        run.need_committer(),
        run.need_length(),
        run.timeout_s,
        answered=_answered(round_),
    )


def _before(run: Run, round_: RoundReplay) -> NDArray[np.int32]:
    """The model that a round began with."""
    earlier, result = last_model(run, round_.number)
    if earlier is None or result is None:
        return models.load_model(run.store, run.need_spec().initial_model, run.need_length(), run.timeout_s)
    return _model(run, earlier, result)


def _model(run: Run, round_: RoundReplay, cohort: CohortReplay) -> NDArray[np.int32]:
    if cohort.posted is None:
        raise unchecked("the round has no result")
    if run.is_sealed:
        return sealed.load_model(run, round_, cohort)
    cid = from_digest(cohort.posted.model)
    return models.load_model(run.store, cid, run.need_length(), run.timeout_s, answered=_answered(round_))


def _answered(round_: RoundReplay) -> bytes:
    """The model as it was put on chain to answer a challenge, if it was."""
    return round_.model_answer.packed if round_.model_answer is not None else b""


def _answers(run: Run, cohort: CohortReplay) -> str:
    bound = run.history.terms.max_norm_squared
    if run.is_sketched:
        return check_chunk_answers(cohort, run.need_shelf(), bound)
    return models.check_answers(cohort, run.need_committer(), run.need_length(), bound)


def _cohort(run: Run, round_: RoundReplay, cohort: CohortReplay) -> Iterator[Check]:
    number, index, terms = round_.number, cohort.index, run.history.terms
    name = f"round {number}" + (f", cohort {index}" if len(round_.cohorts) > 1 else "")

    def held(theme: Theme, detail: str, open_: str = "") -> Check:
        return run.check(f"{name}: {theme}", run.holds(theme, number, detail, cohort=index, open_=open_))

    batched = f", {cohort.batched.bit_count()} more in a batch" if cohort.batch is not None else ""
    yield held(
        Theme.ARRIVALS, f"{len(cohort.submissions)} of {terms.slots} slots submitted by transaction{batched}"
    )
    if cohort.complaints:
        silent = len(cohort.withheld)
        yield held(
            Theme.COMPLAINTS,
            f"{len(cohort.answers) + len(cohort.chunk_answers)} updates were answered for, {silent} withheld, "
            "and each was paid for",
        )
    if cohort.answers or cohort.chunk_answers:
        yield run.check(f"{name}: answers", lambda: _answers(run, cohort))
    if cohort.posted is None:
        state = "skipped" if cohort.skipped is not None else str(round_.outcome)
        yield held(Theme.PAYMENTS, f"nothing was paid: the round is {state}")
        return
    yield run.check(
        f"{name}: proof", lambda: proofs.check_proof(run.history, round_, cohort, run.need_files())
    )
    left_out = f"; {cohort.left_out.bit_count()} left out without blame, so no fee" if cohort.left_out else ""
    settled, paid = cohort.settlement, sum(cohort.posted.amounts)
    merged = len(settled.judgement.merged) if settled else 0
    undone = "; undone since" if round_.undone is not None else ""
    for theme, detail in (
        (Theme.COMMITMENTS, "each opens what was submitted, C_0 where nothing was"),
        (Theme.JUDGEMENT, f"G gives the same {merged} merged, and the same strikes"),
        (Theme.PAYMENTS, f"{paid} to trainers, and the fee, are what G gives{left_out}{undone}"),
        (Theme.MODEL, _MOVED[run.is_sketched]),
    ):
        yield held(theme, detail, cohort.unread)
