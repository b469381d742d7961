"""`fairshare trainer`: run, status, claim, leave."""

from pathlib import Path
from typing import Annotated

import typer

from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.node.options import DryRun, ProjectId, Settings, with_settings
from marketplace.node.seats import seat_in_round
from marketplace.node.session import connect, open_session, own_address
from marketplace.node.withdrawal import collect_all
from trainer_node.behaviour import Attack, Behaviour

app = typer.Typer(help="Train for a project and be paid for it.", no_args_is_help=True)


Data = Annotated[Path, typer.Option("--data", metavar="FILE", help="Your data: .npz with X and y.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
LogFile = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="JSON lines; default stderr.")
]
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
Cheat = Annotated[Attack | None, typer.Option("--attack", hidden=True)]


@app.command()
@with_settings
def run(
    settings: Settings,
    project: ProjectId,
    data: Data,
    device: Device = "auto",
    log_file: LogFile = None,
    seed: Seed = None,
    demand_rate: DemandRate = 0.05,
    attack: Cheat = None,
    dry_run: DryRun = False,
) -> None:
    """Join a project and work for it until it is over; stop and start it again at any time."""
    from marketplace.learning.data import load_npz
    from marketplace.learning.train import check_device, pick_device
    from marketplace.node import logging
    from marketplace.node.clock import ChainClock
    from marketplace.node.costs import trainer_costs
    from marketplace.node.identity import encryption_key, training_seed
    from marketplace.node.lifecycle import keep_going, stop_on_signals
    from marketplace.node.peers import PeerBook
    from marketplace.node.project import load_project
    from trainer_node.challenging import Doubt
    from trainer_node.daemon import TrainerDaemon
    from trainer_node.submitting import Worker

    if not data.is_file():
        raise FairshareError(Reason.BAD_DATA, f"there is no file {data}", "give your .npz file with --data")
    check_device(device)
    with stop_on_signals() as stop, open_session(settings, "trainer", stop=stop) as session:
        if attack is not None and session.client.chain_id not in LOCAL_CHAIN_IDS:
            raise FairshareError(Reason.BAD_INPUT, "--attack is for test chains only", "leave it out")
        logging.configure(file=log_file, role="trainer", account=session.address)
        log = logging.logger(project=project)
        context = load_project(session.client, session.store, project, session.cache)
        dataset = load_npz(data, context.task)
        if dry_run:
            costs = trainer_costs(context.terms, session.client.web3.eth.gas_price)
            document = {
                "project": project,
                "samples": len(dataset),
                "device": str(pick_device(device)),
                **costs,
            }
            console.result(document, console.lines(document))
            return
        peers = PeerBook(context, log)
        peers.connect_to_owner()
        own_seed = training_seed(session.journal, seed)
        with ChainClock(session.client, stop=stop) as clock:
            daemon = TrainerDaemon(
                context=context,
                sender=session.sender,
                journal=session.journal,
                clock=clock,
                key=encryption_key(session.home),
                worker=Worker(dataset, own_seed, device, Behaviour(attack)),
                doubt=Doubt(demand_rate, own_seed),
                peers=peers,
                log=log,
            )
            keep_going(daemon.step, stop=stop, log=log)


@app.command()
@with_settings
def status(settings: Settings, project: ProjectId) -> None:
    """Your part in a project: seat, stake, earnings and track record."""
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
    }
    console.result(document, console.lines(document))


@app.command()
@with_settings
def claim(settings: Settings, project: ProjectId) -> None:
    """Collect what you are owed: earnings to your account, stake of an ended project out of the vault."""
    with open_session(settings, "trainer") as session:
        document = collect_all(session, project)
    console.result(document, console.lines(document))


@app.command()
@with_settings
def leave(settings: Settings, project: ProjectId) -> None:
    """Leave a project; your stake becomes free again."""
    from trainer_node.daemon import JOINS

    with open_session(settings, "trainer") as session:
        state = session.client.project(project)
        if state.status not in (Status.OPEN, Status.ACTIVE):
            raise FairshareError(
                Reason.REFUSED, f"project {project} is over", f"run `fairshare trainer claim {project}`"
            )
        times = session.journal.get(project, 0, JOINS, 0)
        session.sender.send(f"leave:{project}:{times}", session.client.market.functions.leave(project))
        session.journal.put(project, 0, JOINS, times + 1)
    console.result({"project": project, "left": True}, f"left project {project}; your stake is free again")
