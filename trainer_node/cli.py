"""`fairshare trainer`: check, run, status, claim, leave."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.types import Address, Status
from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.learning.engine.options import Engine
from marketplace.loading import loading
from marketplace.node import console
from marketplace.node.journal import Journal
from marketplace.node.money.showing import show_profit
from marketplace.node.options import (
    LAST_ID,
    AllProjects,
    DryRun,
    LogFile,
    MetricsAt,
    ProjectId,
    Settings,
    with_settings,
)
from marketplace.node.seats import seat_in_round
from marketplace.node.session import JOURNAL, connect, open_session, own_address, role_home
from marketplace.node.withdrawal import collect_all
from trainer_node.behaviour import Attack, Behaviour
from trainer_node.data_options import DataGiven, with_data
from trainer_node.engine_options import check_engine, with_engine
from trainer_node.privacy import Choice
from trainer_node.privacy_budget import kept, kept_choice, shown

app = typer.Typer(help="Train for a project and be paid for it.", no_args_is_help=True)

ROLE = "trainer"
READER = "reader"  # who signs nothing, below the state directory
UNPACKED = "data"  # where large data is unpacked, below the cache directory

Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the order of batches.")]
DemandRate = Annotated[
    float,
    typer.Option(
        "--demand-rate",
        min=0.0,
        max=1.0,
        help="On-demand projects: how often to have a result proved that looks right.",
    ),
]
OneProject = Annotated[
    int | None, typer.Argument(metavar="[ID]", min=1, max=LAST_ID, help="The project's number.")
]
First = Annotated[
    int, typer.Option("--first", min=0, max=1000, help="How many problems of each kind to show.")
]
Cheat = Annotated[Attack | None, typer.Option("--attack", hidden=True)]
Flower = Annotated[
    str | None,
    typer.Option(
        "--flower",
        metavar="MODULE:OBJECT",
        help="Let a Flower client of yours train: a NumPyClient, ClientApp or client_fn (docs/tasks.md).",
    ),
]
FlowerPython = Annotated[
    Path | None,
    typer.Option("--flower-python", metavar="PATH", help="The interpreter that has it; default: this one."),
]
DpEpsilon = Annotated[
    float | None,
    typer.Option(
        "--dp-epsilon",
        min=1e-3,
        max=1000.0,
        help="Train with noise: what all rounds may cost your rows' privacy (docs/privacy.md).",
    ),
]
DpDelta = Annotated[
    float | None,
    typer.Option("--dp-delta", min=1e-12, max=0.1, help="With which chance it may cost more; default 1e-5."),
]
DpMaxGradNorm = Annotated[
    float | None,
    typer.Option(
        "--dp-max-grad-norm", min=1e-6, max=1e6, help="Length that each row's gradient is cut to; default 1."
    ),
]
DpNoise = Annotated[
    float | None,
    typer.Option(
        "--dp-noise",
        min=0.1,
        max=1e4,
        help="Noise in such lengths; default: so much that epsilon lasts for all rounds.",
    ),
]


@app.command()
@with_settings
@with_data
@with_engine
def check(
    settings: Settings,
    project: ProjectId,
    data: DataGiven,
    engine: Engine,
    device: Device = "auto",
    seed: Seed = None,
    first: First = 5,
) -> None:
    """Hold your data against a project: what is wrong with it, what a round on it does, what it may earn.

    Signs nothing and needs no key.
    """
    from marketplace.learning.devices import check_device
    from marketplace.learning.sources.loading import load
    from marketplace.node import logging
    from marketplace.node.peers import PeerBook
    from marketplace.node.project import load_project
    from marketplace.node.session import open_store
    from trainer_node.check_shown import draw
    from trainer_node.data_check import check_data

    check_device(device)
    client = connect(settings)
    with (
        console.working("fetching the project") as say,
        open_store(settings, settings.state_dir / READER) as store,
    ):
        logging.configure(verbose=console.is_verbose())
        context = load_project(client, store, project, settings.cache_dir)
        check_engine(
            engine, device, context.task, context.spec.training, private=context.spec.privacy is not None
        )
        say("reading the data")
        loaded = load(data.path, context.task, data.how, settings.cache_dir / UNPACKED, first)
        say("training on it")
        peers = PeerBook(context, logging.logger(project=project))
        checked = check_data(context, peers, loaded, seed or 0, device, engine)
    console.result(checked.to_dict(), lambda out: draw(out, checked))
    if not checked.is_sound:
        raise typer.Exit(EXIT_STATUS[Reason.BAD_DATA])


@app.command()
@with_settings
@with_data
@with_engine
def run(
    settings: Settings,
    project: ProjectId,
    data: DataGiven,
    engine: Engine,
    device: Device = "auto",
    log_file: LogFile = None,
    metrics: MetricsAt = None,
    seed: Seed = None,
    demand_rate: DemandRate = 0.05,
    attack: Cheat = None,
    dp_epsilon: DpEpsilon = None,
    dp_delta: DpDelta = None,
    dp_max_grad_norm: DpMaxGradNorm = None,
    dp_noise: DpNoise = None,
    flower: Flower = None,
    flower_python: FlowerPython = None,
    dry_run: DryRun = False,
) -> None:
    """Join a project and work for it until it is over; stop and start it again at any time."""
    with loading():
        from marketplace.learning.devices import check_device, pick_device
        from marketplace.learning.private import check_private
        from marketplace.learning.sources.loading import load_sound
        from marketplace.learning.tasks import check_usable
        from marketplace.node import logging
        from marketplace.node.clock import ChainClock
        from marketplace.node.costs import trainer_costs
        from marketplace.node.identity import training_seed
        from marketplace.node.keyring import KeyRing
        from marketplace.node.lifecycle import is_out_of_reach, keep_going, patiently, stop_on_signals
        from marketplace.node.peers import PeerBook
        from marketplace.node.project import load_project
        from marketplace.node.project_keys import own_key
        from marketplace.node.storekeeping import storekeeping
        from marketplace.node.telemetry.observing import observing
        from trainer_node.challenging import Doubt
        from trainer_node.daemon import TrainerDaemon
        from trainer_node.flower.client import chosen_client
        from trainer_node.privacy import caution, foreseen, policy_of
        from trainer_node.privacy_budget import PrivacyBudget
        from trainer_node.prospects import strike_cost
        from trainer_node.submitting import Worker

    if not data.path.exists():
        raise FairshareError(Reason.BAD_DATA, f"there is no {data.path}", "give your data with --data")
    check_device(device)
    asked = observing(ROLE, metrics, log_file, watched=not dry_run)
    with (
        stop_on_signals() as stop,
        open_session(settings, ROLE, stop=stop, telemetry=asked.telemetry, waits=not dry_run) as session,
        asked.of(session),
        storekeeping(session, settings),
    ):
        if attack is not None and session.client.chain_id not in LOCAL_CHAIN_IDS:
            raise FairshareError(Reason.BAD_INPUT, "--attack is for test chains only", "leave it out")
        log = logging.logger(project=project)
        context = patiently(
            lambda: load_project(session.client, session.store, project, session.cache),
            stop=stop,
            log=log,
            passes=lambda error: is_out_of_reach(error) and not dry_run,
        )
        dataset = load_sound(
            data.path,
            context.task,
            data.how,
            session.cache / UNPACKED,
            lambda note: log.warning("data", note=note),
        )
        spec, rows, rounds = context.spec, len(dataset), context.terms.rounds
        choice = Choice(dp_epsilon, dp_delta, dp_max_grad_norm, dp_noise).over(
            kept_choice(session.journal, project)
        )
        policy = policy_of(spec.privacy, choice, spec.training, rounds, rows)
        check_usable(context.task)
        window = float(context.terms.submit_window)
        trained_by = chosen_client(
            flower, flower_python, data.path, window, noise=policy is not None, engine=engine
        )
        privacy = None
        check_engine(engine, device, context.task, spec.training, private=policy is not None)
        if policy is not None:
            check_private(context.task)
            privacy = foreseen(policy, spec, rows, context.task.length)
            if (warning := caution(spec, strike_cost(context.terms))) is not None:
                console.note(f"warning: {warning}")
        if dry_run:
            with translated_errors("read the gas price"):
                gas_price = int(session.client.web3.eth.gas_price)
            costs = trainer_costs(context.terms, gas_price)
            document = {
                "project": project,
                "samples": rows,
                "device": str(pick_device(device)),
                "engine": asdict(engine),
                "privacy": privacy,
                **costs,
            }
            console.result(document, console.lines(document))
            return
        key = patiently(lambda: own_key(session, project), stop=stop, log=log, passes=is_out_of_reach)
        context = context.with_key(key)
        peers = PeerBook(context, log)
        patiently(peers.connect_to_owner, stop=stop, log=log, passes=is_out_of_reach)
        own_seed = training_seed(session.journal, seed)
        budget = None
        if policy is not None and privacy is not None:
            log.info("training with differential privacy", **privacy)
            budget = PrivacyBudget(session.journal, project, rounds, choice, policy, log)
        with (
            session.telemetry.loop(f"project {project}") as turned,
            ChainClock(session.client, stop=stop, on_turn=turned) as clock,
        ):
            daemon = TrainerDaemon(
                context=context,
                sender=session.sender,
                journal=session.journal,
                clock=clock,
                key=key,
                keys=KeyRing(session.home),
                worker=Worker(dataset, own_seed, device, Behaviour(attack), budget, trained_by, engine),
                doubt=Doubt(demand_rate, own_seed),
                peers=peers,
                log=log,
                telemetry=session.telemetry,
            )
            keep_going(daemon.step, stop=stop, log=log)


@app.command()
@with_settings
def status(settings: Settings, project: OneProject = None, every: AllProjects = False) -> None:
    """Your part in a project: seat, stake, earnings, track record, cost in privacy; with --all the profit of all."""
    if every is (project is not None):
        raise FairshareError(
            Reason.BAD_INPUT, "status is of one project or of all", "give its number, or --all"
        )
    if project is None:
        show_profit(settings, ROLE)
        return
    client, address = connect(settings), own_address(settings)
    terms, state = client.terms(project), client.project(project)
    member, record = client.membership(project, address), client.trainer_record(address)
    number = member.trainer_number
    seat, submitted = None, False
    if number is not None and state.status is Status.ACTIVE:
        seat = seat_in_round(state, terms.slots, state.round, number)
    if seat is not None:
        cohort = client.cohort(project, seat.cohort)
        submitted = bool((cohort.submitted | cohort.batched) >> seat.slot & 1)
    document = {
        "project": project,
        "status": state.status.name.lower(),
        "round": state.round,
        "number": number,
        "cohort": None if seat is None else seat.cohort,
        "slot": None if seat is None else seat.slot,
        "submitted": submitted,
        "stake_locked": str(member.locked),
        "claimable": str(client.claimable(project, address)),
        "record": {
            "projects": record.projects,
            "faults": record.faults,
            "contribution": record.contribution,
            "score": client.score_of(address),
        },
        "privacy": _privacy_of(settings, client, address, project),
    }
    console.result(document, console.lines(document))


def _privacy_of(
    settings: Settings, client: MarketClient, account: Address, project: int
) -> dict[str, Any] | None:
    """What this machine's journal holds of it; None where this account trained without noise, or elsewhere."""
    journal_file = role_home(settings, client, ROLE, account) / JOURNAL
    if not journal_file.is_file():
        return None
    with Journal(journal_file, read_only=True) as journal:
        record = kept(journal, project)
    return None if record is None else shown(record)


@app.command()
@with_settings
def claim(settings: Settings, project: ProjectId) -> None:
    """Collect what you are owed: earnings to your account, stake of an ended project out of the vault."""
    with open_session(settings, ROLE) as session:
        document = collect_all(session, project)
    console.result(document, console.lines(document))


@app.command()
@with_settings
def leave(settings: Settings, project: ProjectId) -> None:
    """Leave a project; your stake becomes free again."""
    from trainer_node.daemon import JOINS

    with open_session(settings, ROLE) as session:
        state = session.client.project(project)
        if state.status not in (Status.OPEN, Status.ACTIVE):
            raise FairshareError(
                Reason.REFUSED, f"project {project} is over", f"run `fairshare trainer claim {project}`"
            )
        times = session.journal.get(project, 0, JOINS, 0)
        session.sender.send(f"leave:{project}:{times}", session.client.market.functions.leave(project))
        session.journal.put(project, 0, JOINS, times + 1)
    console.result({"project": project, "left": True}, f"left project {project}; your stake is free again")
