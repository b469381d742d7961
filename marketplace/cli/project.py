"""`fairshare project`: new, post, serve, watch, list, show, model, reveal, settle, cancel, refund."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.node.options import (
    DryRun,
    LogFile,
    MetricsAt,
    OutputFile,
    ProjectId,
    Settings,
    with_output,
    with_settings,
)

if TYPE_CHECKING:
    from marketplace.owner.rounds_shown import RoundsShown

app = typer.Typer(help="Post projects, follow them, fetch what they trained.", no_args_is_help=True)

OWNER, READER = "owner", "reader"

ProjectFile = Annotated[Path, typer.Argument(metavar="project.toml", help="What `project new` wrote.")]
SrsFile = Annotated[
    Path | None,
    typer.Option("--srs", metavar="FILE", help="SRS of the powers of tau (else the one that was imported)."),
]
Again = Annotated[bool, typer.Option("--again", help="Post it once more though it was posted already.")]
Evaluation = Annotated[
    Path | None, typer.Option("--evaluation", metavar="FILE", help="The owner's evaluation set (.npz).")
]
Validation = Annotated[
    Path | None, typer.Option("--validation", metavar="FILE", help="Where your validation set (.npz) is now.")
]
MemberKey = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="A member's encryption key (else yours), for sealed models."),
]
Stay = Annotated[bool, typer.Option("--serve", help="Then stay and serve it, as `project serve` does.")]


@app.command()
@with_output
def new(
    directory: Annotated[Path, typer.Argument(metavar="DIR")],
    kind: Annotated[
        str, typer.Option("--task", help="softmax, mlp, cnn, tabular, frozen-backbone, lora, a plug-in's.")
    ] = "softmax",
    trainers: Annotated[int, typer.Option("--trainers", min=3, max=15, help="K, all in every round.")] = 10,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=65_000, help="T.")] = 5,
    challenge_window: Annotated[
        int | None,
        typer.Option(
            "--challenge-window", min=1, max=3600, metavar="S", help="A round takes at least as long."
        ),
    ] = None,
) -> None:
    """Write a project.toml to fill in."""
    from marketplace.owner.draft import draft

    text = draft(kind, trainers, rounds, challenge_window)
    path = directory / "project.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf8") as file:
            file.write(text)
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{path}: {error.strerror}", "name a directory without a project.toml"
        ) from error
    console.result({"file": str(path)}, f"{path} written: fill it in, then `fairshare project post {path}`")


@app.command()
@with_settings
def post(
    settings: Settings,
    file: ProjectFile,
    srs: SrsFile = None,
    again: Again = False,
    dry_run: DryRun = False,
    serve: Stay = False,
) -> None:
    """Post a project: its files to IPFS, its reward into escrow. Safe to repeat after an interruption."""
    from dataclasses import asdict

    from marketplace.node.session import open_session
    from marketplace.owner.checked import check_project
    from marketplace.owner.post import check_market
    from marketplace.owner.post import post as post_project
    from marketplace.owner.preview import preview_post

    checked = check_project(file)
    with open_session(settings, OWNER) as session:
        check_market(session, checked, srs)
        if dry_run:
            preview = preview_post(session, checked).to_dict()
            console.result(preview, console.lines(preview))
            return
        with console.working("posting the project") as say:
            posted = post_project(session, checked, srs_file=srs, again=again, say=say)
        words = f"project {posted.project}" + (
            " was posted before: nothing was done (--again posts it once more)" if posted.already else ""
        )
        console.result(asdict(posted), words)
    if serve:
        _serve(settings, posted.project, checked.evaluation, None, None, None)


@app.command("list")
@with_settings
def list_projects(settings: Settings) -> None:
    """All projects of the market, the newest first."""
    from marketplace.node.session import connect
    from marketplace.owner.describe import describe

    client = connect(settings)
    described = [describe(client, number) for number in range(client.project_count(), 0, -1)]
    table = console.table("project", "status", "round", "trainers", "aggregators", "reward", "owner")
    for project in described:
        table.add_row(
            str(project["project"]),
            project["status"],
            f"{project['round']}/{project['rounds']}",
            f"{project['trainer_count']}/{project['places']}",
            str(project["aggregator_count"]),
            project["reward"],
            project["owner"],
        )
    console.result({"projects": described}, table)


@app.command()
@with_settings
def show(settings: Settings, project: ProjectId) -> None:
    """One project as the chain knows it."""
    from marketplace.node.session import connect
    from marketplace.owner.describe import describe

    document = describe(connect(settings), project)
    console.result(document, console.lines(document))


@app.command("serve")
@with_settings
def serve_project(
    settings: Settings,
    project: ProjectId,
    evaluation: Evaluation = None,
    validation: Validation = None,
    log_file: LogFile = None,
    metrics: MetricsAt = None,
) -> None:
    """Be your project's node until it is over: serve its files, post references, reveal, settle, refund.

    Stop and start it again at any time. With the reference rule, a round for which it does not post the reference
    in time is paid by the fallback rule.
    """
    _serve(settings, project, evaluation, validation, log_file, metrics)


@app.command()
@with_settings
def watch(
    settings: Settings, project: ProjectId, evaluation: Evaluation = None, key: MemberKey = None
) -> None:
    """Follow any project: its rounds, and with its evaluation set the accuracy of its models. Signs nothing."""
    from marketplace.node import logging
    from marketplace.node.clock import ChainClock
    from marketplace.node.lifecycle import keep_going, stop_on_signals
    from marketplace.node.peers import PeerBook
    from marketplace.node.project import load_project
    from marketplace.node.project_keys import reader_context
    from marketplace.node.session import connect, open_store
    from marketplace.owner.checked import load_evaluation
    from marketplace.owner.rounds_shown import RoundsShown
    from marketplace.owner.watch import Watch

    client = connect(settings)
    with stop_on_signals() as stop, open_store(settings, settings.state_dir / READER) as store:
        logging.configure(verbose=console.is_verbose())
        log = logging.logger(project=project)
        context = load_project(client, store, project, settings.cache_dir)
        context = reader_context(settings, context, key)
        sha256 = context.spec.evaluation.sha256
        dataset = load_evaluation(evaluation, sha256, context.task) if evaluation else None
        peers = PeerBook(context, log)
        peers.connect_to_owner()
        shown = RoundsShown(say=console.note, slots=context.terms.slots)
        with ChainClock(client, stop=stop) as clock:
            watching = Watch(context, clock, peers, dataset, shown.event, shown.model)
            keep_going(watching.step, stop=stop, log=log)
    _tell(project, shown)


@app.command()
@with_settings
def reveal(settings: Settings, project: ProjectId, validation: Validation = None) -> None:
    """Publish your validation set after the last round; your reveal bond is yours again."""
    from marketplace.chain.types import Status
    from marketplace.node import logging
    from marketplace.node.project import load_project
    from marketplace.node.session import open_session
    from marketplace.owner.node import require_owner, reveal_now, secret_of

    with open_session(settings, OWNER) as session:
        logging.configure(verbose=console.is_verbose())
        state = session.client.project(project)
        require_owner(state, project, session.address)
        if state.status is not Status.CLOSING and not state.revealed:
            raise FairshareError(
                Reason.REFUSED,
                f"project {project} is {state.status.name.lower()}, not closing",
                "reveal between the last round and the settling",
            )
        context = load_project(session.client, session.store, project, session.cache)
        secret = secret_of(context, session.journal, validation)
        if secret is None:
            raise FairshareError(
                Reason.REFUSED, f"project {project} has no validation set", "there is nothing to reveal"
            )
        cid = reveal_now(context, session.sender, secret)
    console.result({"project": project, "validation": cid}, f"revealed: {cid}")


@app.command()
@with_settings
def settle(settings: Settings, project: ProjectId) -> None:
    """End a project whose last round can no longer be challenged. Anyone may."""
    from marketplace.chain.types import Status
    from marketplace.node.session import open_session

    with open_session(settings, OWNER) as session:
        if session.client.project(project).status is not Status.SETTLED:
            session.sender.send(f"settle:{project}", session.client.market.functions.settle(project))
        status = session.client.project(project).status.name.lower()
    console.result({"project": project, "status": status}, f"project {project} is {status}")


@app.command()
@with_settings
def cancel(settings: Settings, project: ProjectId) -> None:
    """Call off a project that has not started; the reward becomes yours to `refund`."""
    from marketplace.chain.types import Status
    from marketplace.node.session import open_session

    with open_session(settings, OWNER) as session:
        if session.client.project(project).status is not Status.CANCELLED:
            session.sender.send(f"cancel:{project}", session.client.market.functions.cancel(project))
        owner = session.client.project(project).owner
        credit = session.client.claimable(project, owner)
    document = {"project": project, "status": "cancelled", "credit": str(credit)}
    console.result(
        document, f"project {project} is cancelled; `fairshare project refund {project}` pays {credit}"
    )


@app.command()
@with_settings
def refund(settings: Settings, project: ProjectId) -> None:
    """Pay the owner what a project that is over has left of its escrow. Anyone may."""
    from marketplace.node.session import open_session

    with open_session(settings, OWNER) as session:
        client = session.client
        token, owner = client.terms(project).token, client.project(project).owner
        credit = client.claimable(project, owner)
        if credit:
            occasion = client.latest_block().number
            session.sender.send(f"refund:{project}:{occasion}", client.market.functions.claim(project, owner))
    document = {"project": project, "token": str(token), "owner": str(owner), "claimed": str(credit)}
    console.result(document, f"claimed {credit} for {owner}" if credit else "there is nothing to claim")


@app.command()
@with_settings
def model(settings: Settings, project: ProjectId, output: OutputFile, key: MemberKey = None) -> None:
    """Fetch the newest model, check it against the chain and write its weights as .npz.

    Where models are sealed to the project's members it takes the key of one who is, or was.
    """
    from marketplace.node import logging
    from marketplace.node.peers import PeerBook
    from marketplace.node.project import load_project
    from marketplace.node.project_keys import reader_context
    from marketplace.node.session import connect, open_store
    from marketplace.owner.model import fetch_model, write_npz

    client = connect(settings)
    with (
        console.working("fetching the model"),
        open_store(settings, settings.state_dir / READER) as store,
    ):
        logging.configure(verbose=console.is_verbose())
        context = load_project(client, store, project, settings.cache_dir)
        context = reader_context(settings, context, key)
        fetched = fetch_model(context, PeerBook(context, logging.logger(project=project)))
    write_npz(output, fetched.weights)
    document = {
        "project": project,
        "round": fetched.round,
        "cid": fetched.cid,
        "commitment": [str(fetched.commitment[0]), str(fetched.commitment[1])],
        "file": str(output),
    }
    console.result(document, f"the model of round {fetched.round}, as committed to on chain: {output}")


def _serve(
    settings: Settings,
    project: int,
    evaluation: Path | None,
    validation: Path | None,
    log_file: Path | None,
    metrics: str | None,
) -> None:
    from marketplace.node import logging
    from marketplace.node.clock import ChainClock
    from marketplace.node.lifecycle import is_out_of_reach, keep_going, patiently, stop_on_signals
    from marketplace.node.project import ProjectContext, load_project
    from marketplace.node.project_keys import owner_context
    from marketplace.node.session import open_session
    from marketplace.node.storekeeping import storekeeping
    from marketplace.node.telemetry.observing import observing
    from marketplace.owner.checked import load_evaluation
    from marketplace.owner.node import owner_node, require_owner, secret_of
    from marketplace.owner.post import EVALUATION
    from marketplace.owner.rounds_shown import RoundsShown

    asked = observing(OWNER, metrics, log_file)
    shown: RoundsShown | None = None
    with (
        stop_on_signals() as stop,
        open_session(settings, OWNER, stop=stop, telemetry=asked.telemetry, waits=True) as session,
        asked.of(session),
        storekeeping(session, settings, of_owner=True),
    ):
        log = logging.logger(project=project)

        def load() -> ProjectContext:
            require_owner(session.client.project(project), project, session.address)
            return load_project(session.client, session.store, project, session.cache)

        context = patiently(load, stop=stop, log=log, passes=is_out_of_reach)
        context = owner_context(session, context)
        known = session.journal.get(project, 0, EVALUATION)
        path = evaluation or (Path(known) if known else None)
        dataset = load_evaluation(path, context.spec.evaluation.sha256, context.task) if path else None
        secret = secret_of(context, session.journal, validation)
        shown = RoundsShown(say=console.note, slots=context.terms.slots)
        with (
            session.telemetry.loop(f"project {project}") as turned,
            ChainClock(session.client, stop=stop, on_turn=turned) as clock,
        ):
            node = owner_node(
                session,
                context,
                clock,
                secret,
                log,
                evaluation=dataset,
                on_event=shown.event,
                on_model=shown.model,
            )
            log.info("serving the project", reference=node.reference is not None)
            keep_going(node.step, stop=stop, log=log)
    if shown is not None:  # None: stopped before the chain was there
        _tell(project, shown)


def _tell(project: int, shown: "RoundsShown") -> None:
    document = {"project": project, "rounds": shown.rounds()}
    console.result(document, f"project {project}: {shown.ending or 'no longer followed'}")
