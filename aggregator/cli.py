"""`fairshare aggregator`: run, status."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import typer

from aggregator.behaviour import Attack
from aggregator.intake import Intake
from aggregator.proof_queue import ProofQueue
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.errors import FairshareError, Reason
from marketplace.loading import loading
from marketplace.node import console
from marketplace.node.logging import Logger
from marketplace.node.money.showing import show_profit
from marketplace.node.options import (
    DEFAULT_PEER_RATE,
    LAST_ID,
    AllProjects,
    DryRun,
    LogFile,
    MetricsAt,
    PeerRate,
    Settings,
    with_settings,
)
from marketplace.node.previews import Market
from marketplace.node.session import Session, connect, open_session, own_address

app = typer.Typer(help="Merge and prove rounds for a fee.", no_args_is_help=True)

ROLE = "aggregator"

Projects = Annotated[
    list[int] | None,
    typer.Option("--project", metavar="ID", min=1, max=LAST_ID, help="Serve this one (repeatable)."),
]
MinFee = Annotated[int, typer.Option("--min-fee", min=0, help="Smallest fee a round to join for.")]
MaxBond = Annotated[int | None, typer.Option("--max-bond", min=0, help="Largest bond to put up.")]
Contact = Annotated[
    str | None,
    typer.Option("--contact", metavar="MULTIADDR", help="Where trainers reach your storage node."),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Take signed submissions for batches here."),
]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where trainers reach --listen; default http://HOST:PORT."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        envvar="FAIRSHARE_RAY_ADDRESS",
        help="Make proofs on this Ray cluster (needs fairshare[ray]); default: on this machine.",
    ),
]
Cheat = Annotated[Attack | None, typer.Option("--attack", hidden=True)]


@app.command()
@with_settings
def run(
    settings: Settings,
    project: Projects = None,
    min_fee: MinFee = 0,
    max_bond: MaxBond = None,
    contact: Contact = None,
    listen: Listen = None,
    url: Url = None,
    peer_rate: PeerRate = DEFAULT_PEER_RATE,
    ray: RayAddress = None,
    log_file: LogFile = None,
    metrics: MetricsAt = None,
    attack: Cheat = None,
    dry_run: DryRun = False,
) -> None:
    """Serve projects until they are over (with --project), or all that pay until stopped."""
    with loading():
        from aggregator.watch import Policy, Watch
        from marketplace.node import logging
        from marketplace.node.clock import ChainClock
        from marketplace.node.lifecycle import keep_going, stop_on_signals
        from marketplace.node.storekeeping import storekeeping
        from marketplace.node.telemetry.observing import observing

    if dry_run:
        _preview(settings, project or [])
        return
    asked = observing(ROLE, metrics, log_file)
    with (
        stop_on_signals() as stop,
        open_session(settings, ROLE, stop=stop, telemetry=asked.telemetry, waits=True) as session,
        asked.of(session),
        storekeeping(session, settings),
        ExitStack() as stack,
    ):
        if attack is not None and session.client.chain_id not in LOCAL_CHAIN_IDS:
            raise FairshareError(Reason.BAD_INPUT, "--attack is for test chains only", "leave it out")
        log = logging.logger()
        for number in project or ():
            session.client.project(number)  # NOT_FOUND: better said than waited for
        proofs = _open_queue(ray, log, stack)
        office = _open_office(session, contact or _own_address(session), listen, url, peer_rate, stack)
        with (
            session.telemetry.loop("watch") as turned,
            ChainClock(session.client, stop=stop, on_turn=turned) as clock,
        ):
            watch = Watch(
                client=session.client,
                address=session.address,
                policy=Policy(frozenset(project or ()), min_fee, max_bond),
                clock=clock,
                serve=lambda number: _serve(session, number, office, proofs, attack),
                log=log,
                stop=stop,
            )
            keep_going(watch.step, stop=stop, log=log)
        watch.join()


@dataclass(frozen=True)
class Office:
    """Where this node is reached. `url` and `intake`: where it takes submissions."""

    contact: str
    url: str | None
    intake: Intake | None


def _open_office(
    session: Session, contact: str, listen: str | None, url: str | None, peer_rate: float, stack: ExitStack
) -> Office:
    """BAD_INPUT for what cannot be published or listened at, before a bond is put up."""
    from aggregator.listening import listening
    from marketplace.node.places import read_place
    from marketplace.node.request_rate import Rate
    from marketplace.storage.contact import encode_contact

    if listen is None:
        if url is not None:
            raise FairshareError(Reason.BAD_INPUT, "--url goes with --listen", "give both")
        encode_contact(contact)
        return Office(contact, None, None)
    host, port = read_place(listen)
    if url is None and host in ("0.0.0.0", "::"):
        raise FairshareError(Reason.BAD_INPUT, f"nobody can reach {host}", "say with --url where you are")
    reachable = url or f"http://{listen}"
    encode_contact(contact, reachable)
    intake = Intake(Market(session.client.chain_id, session.client.address), session.journal, session.account)
    stack.enter_context(listening(intake, host, port, rate=Rate.of(peer_rate)))
    return Office(contact, reachable, intake)


def _open_queue(ray: str | None, log: Logger, stack: ExitStack) -> ProofQueue:
    """Where this node's proofs are made. TOOL_MISSING where Ray is asked for and not installed."""
    from zk import scratch

    removed = scratch.clean()
    if removed:
        log.info("removed what killed proofs left behind", directories=removed)
    queue = ProofQueue()
    if ray is not None:
        from aggregator.ray_prover import RayProver

        queue = ProofQueue(stack.enter_context(RayProver(ray)))
    stack.callback(queue.close)
    return queue


def _serve(session: Session, project: int, office: Office, proofs: ProofQueue, attack: Attack | None) -> None:
    with loading():
        from aggregator.duty import Duty
        from marketplace.node import logging
        from marketplace.node.clock import ChainClock
        from marketplace.node.keyring import KeyRing
        from marketplace.node.lifecycle import keep_going
        from marketplace.node.peers import PeerBook
        from marketplace.node.project import ProjectContext, load_project
        from marketplace.node.project_keys import own_key
        from marketplace.updates.sealing import EncryptionKey

    log = logging.logger(project=project)
    loaded: list[tuple[ProjectContext, EncryptionKey, PeerBook]] = []

    def load() -> bool:
        context = load_project(session.client, session.store, project, session.cache)
        key = own_key(session, project)
        context = context.with_key(key)
        peers = PeerBook(context, log)
        peers.connect_to_owner()
        loaded.append((context, key, peers))
        return False

    keep_going(load, stop=session.stop, log=log)
    if not loaded:
        return
    context, key, peers = loaded[0]
    with (
        session.telemetry.loop(f"project {project}") as turned,
        ChainClock(session.client, stop=session.stop, on_turn=turned) as clock,
    ):
        duty = Duty(
            context=context,
            sender=session.sender,
            journal=session.journal,
            clock=clock,
            key=key,
            keys=KeyRing(session.home),
            contact=office.contact,
            peers=peers,
            log=log,
            attack=attack,
            url=office.url,
            desk=None if office.intake is None else office.intake.desk(project),
            proofs=proofs,
            telemetry=session.telemetry,
        )
        keep_going(duty.step, stop=session.stop, log=log)


def _own_address(session: Session) -> str:
    addresses = session.store.addresses()
    if not addresses:
        raise FairshareError(
            Reason.STORAGE_UNREACHABLE, "the storage node listens nowhere", "give --contact with its address"
        )
    return addresses[0]


def _preview(settings: Settings, projects: list[int]) -> None:
    from marketplace.node.costs import aggregator_costs
    from marketplace.node.estimate import estimate_proof
    from zk.shape import shape_of

    client = connect(settings)
    with translated_errors("read the gas price"):
        gas_price = int(client.web3.eth.gas_price)
    documents = []
    for number in projects or range(1, client.project_count() + 1):
        terms = client.terms(number)
        circuit = client.circuit(terms.circuit)
        proof = estimate_proof(shape_of(circuit.slots, circuit.length, circuit.logrows))
        documents.append(
            {
                "project": number,
                **aggregator_costs(terms, gas_price),
                "proof_cpu_s": proof.cpu_s,
                "proof_memory_bytes": proof.memory_bytes,
            }
        )
    shown = ("project", "bond", "fees", "gas", "gas_cost_wei", "proof_cpu_s", "proof_memory_bytes")
    table = console.table(*(name.replace("_", " ") for name in shown))
    for document in documents:
        table.add_row(*(str(document[name]) for name in shown))
    console.result({"projects": documents}, table)


@app.command()
@with_settings
def status(settings: Settings, every: AllProjects = False) -> None:
    """The projects you serve, your bonds, earnings and track record; with --all the profit of all you ever served."""
    if every:
        show_profit(settings, ROLE)
        return
    client, address = connect(settings), own_address(settings)
    record = client.aggregator_record(address)
    served = []
    for number in range(1, client.project_count() + 1):
        member = client.membership(number, address)
        if member.aggregator_index is None:
            continue
        state = client.project(number)
        served.append(
            {
                "project": number,
                "status": state.status.name.lower(),
                "round": state.round,
                "index": member.aggregator_index,
                "current": state.aggregator_index == member.aggregator_index,
                "bond_locked": str(member.locked),
                "claimable": str(client.claimable(number, address)),
            }
        )
    document = {
        "address": address,
        "record": {"projects": record.projects, "faults": record.faults},
        "projects": served,
    }
    table = console.table("project", "status", "round", "index", "current", "bond locked", "claimable")
    for row in served:
        table.add_row(*(str(value) for value in row.values()))
    console.result(document, table)
