"""`fairshare devnet`: up, down, status, data."""

from pathlib import Path
from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import with_output

app = typer.Typer(help="A market on this machine alone.", no_args_is_help=True)

DEFAULT = Path("devnet")
PORT = 8545

Directory = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the devnet keeps its files.")]
Port = Annotated[
    int,
    typer.Option(
        "--port",
        envvar="FAIRSHARE_DEVNET_PORT",
        min=0,
        max=65535,
        help="Of the chain's RPC; 0: any free one.",
    ),
]
Trainers = Annotated[int, typer.Option("--trainers", min=1, max=64, help="Funded accounts for trainers.")]
Aggregators = Annotated[int, typer.Option("--aggregators", min=1, max=8, help="And for aggregators.")]
Foreground = Annotated[bool, typer.Option("--foreground", help="Stay, and end the devnet with Ctrl-C.")]


@app.command()
@with_output
def up(
    directory: Directory = DEFAULT,
    port: Port = PORT,
    trainers: Trainers = 10,
    aggregators: Aggregators = 2,
    foreground: Foreground = False,
) -> None:
    """Start a chain, the market's contracts, a storage node and funded accounts, on loopback."""
    if not foreground:
        from marketplace.devnet import background

        arguments = ["--port", str(port), "--trainers", str(trainers), "--aggregators", str(aggregators)]
        with console.working("starting chain, contracts and storage"):
            record = background.start(directory, arguments)
        console.result(record.model_dump(), _words(directory, record.rpc, record.market))
        return
    from marketplace.devnet.local import running_devnet
    from marketplace.node.lifecycle import stop_on_signals

    with (
        stop_on_signals() as stop,
        running_devnet(directory, port=port, trainers=trainers, aggregators=aggregators) as record,
    ):
        console.result(record.model_dump(), _words(directory, record.rpc, record.market))
        stop.wait()


@app.command()
@with_output
def down(directory: Directory = DEFAULT) -> None:
    """End the devnet and exactly its processes; its files stay."""
    from marketplace.devnet import background

    ended = background.stop(directory)
    console.result({"ended": list(ended)}, f"the devnet in {directory} is down")


@app.command()
@with_output
def status(directory: Directory = DEFAULT) -> None:
    """Say whether the devnet runs, and where."""
    from marketplace.chain.client import MarketClient
    from marketplace.devnet.record import DevnetRecord

    record = DevnetRecord.load(directory)
    parts = {name: getattr(record, name).mark.runs() for name in ("supervisor", "chain", "storage")}
    document: dict[str, object] = {"running": all(parts.values()), "processes": parts, **record.model_dump()}
    if parts["chain"]:
        client = MarketClient(record.rpc, record.market, retry_for_s=2.0).connect()
        document |= {"block": client.latest_block().number, "projects": client.project_count()}
    shown = ("running", "rpc", "market", "block", "projects", "storage_rpc")
    console.result(document, console.lines({name: document[name] for name in shown if name in document}))
    if not document["running"]:
        raise typer.Exit(1)


@app.command()
@with_output
def data(
    directory: Directory = DEFAULT,
    dataset: Annotated[str, typer.Option("--dataset", help="digits or fashion-mnist.")] = "digits",
    trainers: Annotated[int, typer.Option("--trainers", min=1, max=64, help="Parts to split it in.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the split.")] = 0,
) -> None:
    """Split a real data set: DIR/data/trainer-0.npz, .., validation.npz and evaluation.npz."""
    from marketplace.devnet.data import write_parts

    parts = write_parts(directory / "data", dataset, trainers, seed).all
    console.result({"files": [str(path) for path in parts]}, f"{len(parts)} files in {directory / 'data'}")


def _words(directory: Path, rpc: str, market: str) -> str:
    return (
        f"chain   {rpc}\nmarket  {market}\nkeys    {directory}/keys\n"
        f"Commands run in {directory} find it by themselves (fairshare.toml). `fairshare devnet down` ends it."
    )
