"""`fairshare trainer check` for people."""

from __future__ import annotations

from rich.console import Console

from marketplace.node import console as spoken
from trainer_node.data_check import DataCheck
from trainer_node.prospects import Prospects
from trainer_node.trial import Trial

_BAR = 40  # characters, of the largest class
_CLASSES = 50  # shown


def draw(console: Console, check: DataCheck) -> None:
    """Writes the whole report."""
    loaded = check.loaded
    survey, data = loaded.survey, loaded.description
    files = "" if data.files is None or data.files == 1 else f", {data.files:,} files"
    _say(console, f"{data.path}: {data.format}{files}: {data.stored_as}")
    _say(
        console,
        f"{survey.rows:,} sound rows" + ("" if not survey.rows else _range(survey.lowest, survey.highest)),
    )
    for note in loaded.notes:
        _say(console, f"note: {note}")
    _draw_problems(console, check)
    if survey.rows:
        _draw_classes(console, check)
    if check.trial is not None and check.pay is not None:
        _draw_trial(console, check.trial)
        _draw_pay(console, check.pay)
    _say(console, "\nthe data fits the project" if check.is_sound else "\nTHE DATA DOES NOT FIT the project")


def _draw_problems(console: Console, check: DataCheck) -> None:
    findings = check.loaded.survey.findings
    for kind, count in findings.counts.items():
        kept = findings.first.get(kind, [])
        table = spoken.table("file", "row", "column", "says", title=f"\n{kind}: {count:,}")
        for finding in kept:
            table.add_row(
                spoken.printable(finding.file),
                "" if finding.row is None else f"{finding.row:,}",
                spoken.printable(finding.column or ""),
                spoken.printable(finding.says),
            )
        if count > len(kept):
            table.add_row(f"and {count - len(kept):,} more", "", "", "")
        console.print(table)


def _draw_classes(console: Console, check: DataCheck) -> None:
    counts, names = check.loaded.survey.counts, check.loaded.description.names
    table = spoken.table("class", "name", "rows", "share", "", title="\nclasses")
    largest, total = int(counts.max()), int(counts.sum())
    for label, count in enumerate(counts.tolist()[:_CLASSES]):
        name = spoken.printable(names[label]) if label < len(names) else ""
        table.add_row(
            str(label), name, f"{count:,}", f"{count / total:.1%}", "#" * round(_BAR * count / largest)
        )
    if len(counts) > _CLASSES:
        table.add_row(f"and {len(counts) - _CLASSES:,} more", "", "", "", "")
    console.print(table)


def _draw_trial(console: Console, trial: Trial) -> None:
    sample = f", a sample of {trial.rows:,}" if trial.is_sample else ""
    _say(
        console,
        f"\na round of training: on {trial.trained_on:,} rows, {trial.held_out:,} held out{sample}; {trial.seconds} s",
    )
    table = spoken.table("on the held-out rows", "before", "after")
    table.add_row("accuracy", f"{trial.accuracy_before:.3f}", f"{trial.accuracy_after:.3f}")
    table.add_row("loss (nats)", f"{trial.loss_before:.3f}", f"{trial.loss_after:.3f}")
    console.print(table)
    clipped = ", clipped" if trial.length > trial.clip_norm else ""
    _say(console, f"length of the change: {trial.length:.3g} (bound {trial.clip_norm:g}{clipped})")
    if trial.saturated:
        _say(console, f"note: {trial.saturated:,} entries of the update are cut to int16")
    _say(console, f"agreement with the held-out rows' own update: {trial.agreement.cosine:.2f} (cosine)")


def _draw_pay(console: Console, pay: Prospects) -> None:
    _say(
        console,
        f"\npot of a cohort's round: {pay.pot} (the token's smallest unit), {pay.part:.0%} by {pay.paid_by}; "
        f"for {pay.merged} merged updates, {pay.equal_amount} each if they were alike",
    )
    _say(console, f"likely: {pay.says}")
    if pay.share is not None:
        _say(console, f"that would be about {pay.amount} a round, if merged")
    if pay.strike_cost:
        _say(
            console,
            f"at risk: {pay.strike_cost} of your stake of {pay.stake}, whenever an update is "
            f"{pay.strike_factor / 100:g} times as far from the others as the median is; one-sided "
            "rows may make it so, without any fault of yours (docs/scoring.md)",
        )
    _say(console, "what nobody can know yet:")
    for unknown in pay.unknown:
        _say(console, f"  - {unknown}")


def _range(lowest: float, highest: float) -> str:
    return f", X from {lowest:g} to {highest:g}"


def _say(console: Console, text: str) -> None:
    console.print(spoken.printable(text))
