"""`fairshare doctor`: exit 0 when nothing stands in the way, else 1."""

import typer

from marketplace.node import console
from marketplace.node.options import Settings, with_settings

app = typer.Typer()


@app.command()
@with_settings
def doctor(settings: Settings) -> None:
    """Check chain, market, storage, clock, disk, memory, GPU, keys and funds, and say what to do."""
    from marketplace.cli.checkup import State, check_up

    with console.working("checking"):
        findings = list(check_up(settings))
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
