"""Many projects one after another on one devnet, kept as they end, and their tables."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from offchain.comparison import show
from offchain.parties import COUNT, LARGEST, parties, some
from offchain.training import Training
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node.options import user_folder
from marketplace.whole_files import write_whole
from onchain.members import members
from onchain.project import Case, Outcome, play

Floats = NDArray[np.float64]
_OUTCOMES = TypeAdapter(list[Outcome])


def load(path: Path) -> list[Outcome]:
    """What is in a file of results; [] where there is none. BAD_INPUT where it is not one."""
    if not path.exists():
        return []
    try:
        return _OUTCOMES.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{path} holds no results of this benchmark", "name another file"
        ) from error


def run(cases: Sequence[Case], results: Path, data: Dataset, evaluation: Dataset) -> list[Outcome]:
    """Runs the cases that `results` does not have, writes each there as it ends, and returns all of `cases`."""
    kept = load(results)
    missing = [case for case in cases if all(outcome.case != case for outcome in kept)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("setting up", total=sum(case.rounds for case in missing))
        if missing:
            with (
                tempfile.TemporaryDirectory(prefix="fairshare-pay-", ignore_cleanup_errors=True) as folder,
                members(Path(folder), user_folder("XDG_CACHE_HOME", ".cache"), COUNT) as market,
            ):
                for case in missing:
                    progress.update(bar, description=case.name)
                    training = Training(case.dataset, COUNT, case.faults, case.epochs)
                    rows = some(data, LARGEST[case.dataset], case.seed)
                    parts, validation = parties(rows, training.task.classes, case.alpha, case.seed)
                    outcome = play(
                        market,
                        case,
                        training,
                        parts,
                        validation,
                        evaluation,
                        lambda: progress.advance(bar),
                    )
                    kept.append(outcome)
                    save(results, kept)
                    progress.console.print(f"{case.name}: {outcome.seconds:.0f} s, as the judge off chain")
    return [next(outcome for outcome in kept if outcome.case == case) for case in cases]


def tables(outcomes: Sequence[Outcome], console: Console) -> None:
    """A table for each split, of the seeds that all its rules have."""
    for alpha in dict.fromkeys(outcome.case.alpha for outcome in outcomes):
        chosen = [outcome for outcome in outcomes if outcome.case.alpha == alpha]
        found, alike = shares_of(chosen)
        case = chosen[0].case
        proved = sum(outcome.case.settlement == "proved" for outcome in chosen)
        title = (
            f"{case.dataset}, {'IID' if alpha is None else f'Dirichlet({alpha})'}, f = {case.faults}, "
            f"paid on the chain: {len(chosen)} projects of {case.rounds} rounds, {proved} proved; "
            f"{'the same' if alike else 'NOT the same'} updates with each rule"
        )
        show(title, found, console)


def shares_of(outcomes: Sequence[Outcome]) -> tuple[dict[str, Floats], bool]:
    """By method, of each seed, shares of the money [seeds, trainers]; whether the rules' rounds were the same.

    Rules come first, as the chain paid; then what each method would have made of the same pots, with the updates of the
    first rule's project.
    """
    by_rule = {
        rule: {outcome.case.seed: outcome for outcome in outcomes if outcome.case.rule == rule}
        for rule in dict.fromkeys(outcome.case.rule for outcome in outcomes)
    }
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in by_rule.values())))
    found = {
        rule: np.array([_normal(np.sum(by_seed[seed].amounts, axis=0)) for seed in seeds])
        for rule, by_seed in by_rule.items()
    }
    first = next(iter(by_rule.values()))
    for method in first[seeds[0]].worth:
        found[method] = np.array([_normal(_weighted(first[seed], method)) for seed in seeds])
    alike = all(
        by_seed[seed].digests == first[seed].digests for by_seed in by_rule.values() for seed in seeds
    )
    return found, alike


def _weighted(outcome: Outcome, method: str) -> Floats:
    pots = np.array(outcome.pots, dtype=np.float64)
    weighted: Floats = pots @ np.array(outcome.worth[method])
    return weighted


def _normal(earned: Floats) -> Floats:
    shares: Floats = earned / max(float(earned.sum()), 1e-12)
    return shares


def save(path: Path, outcomes: list[Outcome]) -> None:
    """Writes a file of results, whole or not at all."""
    write_whole(path, _OUTCOMES.dump_json(outcomes, indent=1))
