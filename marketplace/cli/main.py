"""`fairshare`: gathers the commands of the market and of every installed role."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from marketplace.cli.lazy import LazyGroup, Source, module, roles
from marketplace.errors import FairshareError, Reason
from marketplace.node import console

_OURS = {
    "demo": module("marketplace.cli.demo", "Run a whole market on this machine, cheaters included."),
    "devnet": module("marketplace.cli.devnet", "A market on this machine alone: up, down, status."),
    "wallet": module("marketplace.cli.wallet", "Keys: new, show."),
    "project": module(
        "marketplace.cli.project",
        "Projects: new, post, serve, watch, list, show, model, reveal, settle, cancel, refund.",
    ),
    "circuit": module("marketplace.cli.circuit", "Circuits and their SRS: list, show, make, srs import."),
    "challenge": module("marketplace.cli.challenge", "Doubt a round's model or proof, with a deposit."),
    "audit": module("marketplace.cli.audit", "Check a whole project from chain and IPFS alone."),
    "signer": module("marketplace.cli.signer", "A key in a process of its own: run."),
    "doctor": module("marketplace.cli.doctor", "Check this machine and say what to do."),
    "serve": module("marketplace.cli.serve", "HTTP API of the market."),
}


def _with_explain(trainer: Source) -> Source:
    """`trainer explain` needs the audit's reading of history, which lies above the trainer."""

    def load() -> typer.Typer:
        from marketplace.cli.explain import explain

        app = trainer.load()
        app.command("explain")(explain)
        return app

    return Source(trainer.help, load)


def _sources() -> dict[str, Source]:
    found = {**_OURS, **roles()}
    if "trainer" in found:
        found["trainer"] = _with_explain(found["trainer"])
    order = ("demo", "devnet", "wallet", "project", "trainer", "aggregator")
    return {name: found[name] for name in (*(n for n in order if n in found), *found)}


class FairshareGroup(LazyGroup):
    """The top of the command tree."""

    sources = _sources()


app = typer.Typer(
    cls=FairshareGroup,
    no_args_is_help=True,
    help="A collaborative-learning marketplace that pays by proven contribution.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("fairshare"))
        raise typer.Exit


@app.callback()
def fairshare(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A collaborative-learning marketplace that pays by proven contribution."""


def main() -> None:
    """Runs the command line and exits with its status (see docs/quickstart.md, "Exit status")."""
    console.configure(json="--json" in sys.argv, verbose=not {"--verbose", "-v"}.isdisjoint(sys.argv))
    sys.exit(console.run(_run))


def _run() -> int:
    try:
        status = app(standalone_mode=False, prog_name="fairshare")
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except typer.TyperException as error:
        said = getattr(error, "format_message", error.__str__)()
        raise FairshareError(Reason.BAD_INPUT, said, "see the command's --help") from error
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
