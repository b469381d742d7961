"""`fairshare circuit`: list, show, make, srs import."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.node.options import Settings, with_settings

if TYPE_CHECKING:
    from zk.files import CircuitFiles
    from zk.shape import CircuitShape

app = typer.Typer(help="Circuits that projects share, and their SRS.", no_args_is_help=True)
srs_app = typer.Typer(help="Structured reference strings of a ceremony.", no_args_is_help=True)
app.add_typer(srs_app, name="srs")

Slots = Annotated[int, typer.Argument(metavar="K", help="Inputs: trainer slots, and one for the reference.")]
Parameters = Annotated[int, typer.Argument(metavar="D", help="Trainable parameters.")]
SrsFile = Annotated[
    Path | None,
    typer.Option("--srs", metavar="FILE", help="Its SRS, in ezkl's format (else the imported one)."),
]
TestSrs = Annotated[
    bool,
    typer.Option("--test", help="A test SRS of this machine, for local chains: its maker can forge proofs."),
]
RangeOption = Annotated[
    str, typer.Option("--range", metavar="disputed|proven", help="The project's arithmetic.range.")
]
AllSizes = Annotated[
    int | None, typer.Option("--slots", metavar="K", help="Show the catalogue's sizes for K inputs instead.")
]
Source = Annotated[Path, typer.Argument(metavar="FILE", help="A .ptau file, or an SRS of halo2 or ezkl.")]
Logrows = Annotated[
    int | None, typer.Option("--logrows", metavar="N", min=1, max=28, help="Make the SRS of 2^N rows.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it here as well.")]


@app.command("list")
@with_settings
def list_circuits(settings: Settings, slots: AllSizes = None, range: RangeOption = "disputed") -> None:
    """The circuits that are made on this machine, or all sizes of the catalogue."""
    from zk import catalogue
    from zk.shape import parse_range

    if slots is not None:
        sizes = [_shape_facts(shape) for shape in catalogue.sizes(slots, parse_range(range))]
        table = console.table("inputs", "length", "rows", "columns", "proof, CPU s", "memory, MiB")
        for size in sizes:
            memory = str(size["proof_memory_bytes"] >> 20)
            rows = f"2^{size['logrows']}"
            cells = (size["slots"], size["length"], rows, size["columns"], size["proof_cpu_s"], memory)
            table.add_row(*map(str, cells))
        console.result({"sizes": sizes}, table)
        return
    made = [_made_facts(files) for files in catalogue.made(settings.cache_dir)]
    table = console.table("inputs", "length", "range", "rows", "SRS", "proving key", "directory")
    for facts in made:
        table.add_row(
            str(facts["slots"]),
            str(facts["length"]),
            facts["range"],
            f"2^{facts['logrows']}",
            facts["srs_kind"],
            "yes" if facts["proving_key"] else "no",
            console.printable(facts["directory"]),
        )
    console.result({"circuits": made}, table)


@app.command()
@with_settings
def show(settings: Settings, slots: Slots, parameters: Parameters, range: RangeOption = "disputed") -> None:
    """The circuit that a project of K inputs and D parameters gets, and the hashes of those that are made."""
    from zk import catalogue
    from zk.shape import parse_range

    shape = catalogue.shape_for(slots, parameters, parse_range(range))
    made = [files for files in catalogue.made(settings.cache_dir) if files.shape == shape]
    document = _shape_facts(shape) | {"made": [_made_facts(files) | _prints(files) for files in made]}
    words = console.lines({name: value for name, value in document.items() if name != "made"})
    for facts in document["made"]:
        words += "\n\n" + console.lines(facts)
    console.result(document, words)


@app.command()
@with_settings
def make(
    settings: Settings,
    slots: Slots,
    parameters: Parameters,
    srs: SrsFile = None,
    test: TestSrs = False,
    range: RangeOption = "disputed",
) -> None:
    """Make the circuit and its keys before a project needs them; what is made is taken as it is."""
    from zk import catalogue, keys
    from zk.shape import parse_range

    shape = catalogue.shape_for(slots, parameters, parse_range(range))
    file = None if test else srs or _imported(settings.cache_dir, shape)
    if test and srs is not None:
        raise FairshareError(Reason.BAD_INPUT, "--srs and --test contradict each other", "give one of them")
    with console.working(f"circuit {shape.name}") as say:
        files = keys.build(shape, settings.cache_dir, srs_file=file, on_progress=say)
    document = _made_facts(files) | _prints(files)
    console.result(document, console.lines(document))


@srs_app.command("import")
@with_settings
def import_file(settings: Settings, source: Source, logrows: Logrows = None, output: Output = None) -> None:
    """Take in the powers of tau: convert, check, and keep them for the circuits of that size."""
    from zk.ceremony import import_srs

    with console.working("importing the SRS") as say:
        made = import_srs(source, settings.cache_dir, logrows=logrows, output=output, on_progress=say)
    document = {"path": str(made.path), "logrows": made.logrows, "srs_kind": made.kind, "sha256": made.sha256}
    origin = {
        "ceremony": "that of the perpetual powers of tau, by its hash",
        "test": "sound, but not the ceremony's: for local test chains only",
    }[made.kind]
    console.result(document, f"{made.path}: an SRS of 2^{made.logrows} rows, {origin} ({made.sha256})")


def _imported(cache: Path, shape: "CircuitShape") -> Path:
    from zk import ceremony
    from zk.shape import layout_of

    logrows = layout_of(shape).logrows
    path = ceremony.installed(cache, logrows)
    if path is None:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"no SRS of the ceremony for 2^{logrows} rows is here",
            f"get one by `fairshare circuit srs import FILE --logrows {logrows}`, or give --srs or --test",
        )
    return path


def _shape_facts(shape: "CircuitShape") -> dict[str, Any]:
    from marketplace.node.estimate import estimate_proof
    from zk import srs
    from zk.shape import CIRCUIT_VERSION, layout_of

    layout, proof = layout_of(shape), estimate_proof(shape)
    return {
        "slots": shape.slots,
        "length": shape.length,
        "range": shape.range,
        "version": CIRCUIT_VERSION,
        "logrows": layout.logrows,
        "columns": layout.columns,
        "srs_bytes": srs.size(layout.logrows),
        "proof_cpu_s": proof.cpu_s,
        "proof_memory_bytes": proof.memory_bytes,
    }


def _made_facts(files: "CircuitFiles") -> dict[str, Any]:
    return {
        "slots": files.shape.slots,
        "length": files.shape.length,
        "range": files.shape.range,
        "logrows": files.logrows,
        "srs_kind": files.srs_kind,
        "proof_bytes": files.proof_length,
        "proving_key": files.proving_key.exists(),
        "directory": str(files.directory),
    }


def _prints(files: "CircuitFiles") -> dict[str, Any]:
    from dataclasses import asdict

    from marketplace.chain.fingerprint import fingerprint

    return asdict(fingerprint(files))
