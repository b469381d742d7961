"""`fairshare audit ID`: exit 0, everything holds; 1, something does not; 2, it could not be checked."""

from pathlib import Path
from typing import Annotated

import typer

from marketplace.errors import FairshareError
from marketplace.node import console
from marketplace.node.options import ProjectId, Settings, with_settings

app = typer.Typer()

AUDITOR = "auditor"

RebuildCircuit = Annotated[
    bool,
    typer.Option(
        "--rebuild-circuit",
        help="Trust no cached file: make circuit, keys and verifier anew from source, and say what was compared.",
    ),
]
MemberKey = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="A member's encryption key (else those of your account), where models are sealed to members.",
    ),
]


@app.command()
@with_settings
def audit(
    settings: Settings, project: ProjectId, rebuild: RebuildCircuit = False, key: MemberKey = None
) -> None:
    """Check a whole project from chain and IPFS alone, and name the first thing that does not hold."""
    from marketplace.audit import audit as audit_project
    from marketplace.audit.rebuild import audit_rebuilt
    from marketplace.audit.report import UNCHECKABLE
    from marketplace.node.project_keys import reader_keys
    from marketplace.node.session import connect, open_store

    try:
        client = connect(settings)
        keys = reader_keys(settings, client, key)
        with (
            console.working(f"auditing project {project}") as say,
            open_store(settings, settings.state_dir / AUDITOR) as store,
        ):
            if rebuild:
                report = audit_rebuilt(client, store, project, on_progress=say, keys=keys)
            else:
                report = audit_project(client, store, project, settings.cache_dir, on_progress=say, keys=keys)
    except FairshareError as error:
        status = console.report(error)
        raise typer.Exit(2 if error.reason in UNCHECKABLE else status) from error
    words = {True: "holds", False: "DOES NOT HOLD", None: "could not be checked"}
    table = console.table("check", "", "detail")
    for check in report.checks:
        table.add_row(check.name, words[check.ok], console.printable(check.detail))
    first = report.first_failure
    table.caption = (
        "everything holds" if first is None else f"first: {console.printable(first.name)}: {words[first.ok]}"
    )
    console.result(report.to_dict(), table)
    raise typer.Exit(report.exit_status)
