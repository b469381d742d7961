"""`fairshare doctor`: exit 0 when nothing stands in the way, else 1."""

from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import LAST_ID, Settings, with_settings

app = typer.Typer()

Projects = Annotated[
    list[int] | None,
    typer.Option(
        "--project", metavar="ID", min=1, max=LAST_ID, help="Hold memory against its proofs (repeatable)."
    ),
]


@app.command()
@with_settings
def doctor(settings: Settings, project: Projects = None) -> None:
    """Check chain, market, storage, clock, disk, memory, GPU, keys and funds, and say what to do."""
    from marketplace.cli.checks.finding import State
    from marketplace.cli.checkup import check_up

    with console.working("checking"):
        findings = list(check_up(settings, tuple(project or ())))
    table = console.table("", "check", "found", "do")
    for finding in findings:
        table.add_row(
            finding.state, finding.name, console.printable(finding.detail), console.printable(finding.advice)
        )
    healthy = not any(finding.state is State.PROBLEM for finding in findings)
    document = {
        "ok": healthy,
        "checks": [
            {"name": f.name, "state": str(f.state), "detail": f.detail, "advice": f.advice} for f in findings
        ],
    }
    console.result(document, table)
    if not healthy:
        raise typer.Exit(1)
