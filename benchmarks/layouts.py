"""Which layout of a shape's circuit is the cheapest: `python benchmarks/layouts.py 8x1000 16x1000 --repeat 3`.

For each number of columns, at the fewest rows that hold the circuit: CPU seconds and peak memory of setup and proof,
sizes, and the gas of a verification. `best` is the least CPU time of those that a contract can verify; `chosen` is what
`zk.shape.layout_of` says. What is not searched, and why:

- decomposition base and legs: they are for range checks; without any, they change no key (`--base` shows it);
- Freivalds' argument: not sound in ezkl 23.0.5 (docs/proof.md);
- more rows than the circuit needs: every column grows with them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from web3 import Web3

from marketplace.chain.compile import compile_source
from marketplace.devnet.anvil import Anvil
from zk import circuit, felts, keys, process
from zk.backend import ezkl
from zk.shape import CircuitShape, Layout, layout_of
from zk.verifier import CONTRACT

EIP_170 = 24_576  # bytes of a contract's code
_SEED = 1
_BLOCK_GAS = 30_000_000


@dataclass(frozen=True)
class Measured:
    """One layout; CPU times in seconds, the median of all runs; sizes in bytes; gas of a transaction that verifies."""

    layout: Layout
    setup_s: float
    prove_s: float
    spread_s: float  # slowest less fastest proof
    setup_bytes: int
    prove_bytes: int
    pk: int
    vk: int
    proof: int
    verifier: int
    gas: int | None  # None where no contract can hold the verifier

    @property
    def fits(self) -> bool:
        """Whether a contract can hold the verifier."""
        return self.verifier <= EIP_170


def shape_of(text: str) -> CircuitShape:
    """`KxD`, for example 8x1000."""
    slots, length = text.split("x")
    return CircuitShape(int(slots), int(length))


def write_source(shape: CircuitShape, layout: Layout, home: Path, *, base: int, legs: int) -> bool:
    """As `zk.circuit.write_source`, for any layout; False where it has too few rows."""
    network, settings = home / "network", home / "settings"
    network.write_bytes(circuit.network(shape))
    arguments = circuit.run_arguments(layout)
    arguments.decomp_base, arguments.decomp_legs = base, legs
    ezkl.gen_settings(str(network), str(settings), py_run_args=arguments)
    document: dict[str, Any] = json.loads(settings.read_text())
    if document["num_rows"] > layout.usable_rows:
        return False
    ezkl.compile_circuit(str(network), str(home / "compiled"), str(settings))
    return True


def smallest(shape: CircuitShape, columns: int, home: Path, *, base: int, legs: int) -> Layout:
    """The fewest rows that hold the circuit at this many columns; its source is then in `home`."""
    logrows = 7
    while not (
        shape.length <= Layout(logrows, columns).usable_rows
        and write_source(shape, Layout(logrows, columns), home, base=base, legs=legs)
    ):
        logrows += 1
    return Layout(logrows, columns)


def measure(
    shape: CircuitShape, columns: int, cache: Path, *, repeat: int, base: int = 256, legs: int = 2
) -> Measured:
    """Sets up, proves `repeat` times and verifies, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="fairshare-layouts-") as scratch:
        home = Path(scratch)
        layout = smallest(shape, columns, home, base=base, legs=legs)
        srs = keys._test_srs(cache, layout.logrows, None)
        at = {
            name: str(home / name)
            for name in ("compiled", "settings", "vk", "pk", "inputs", "witness", "proof")
        }
        made = [
            process.run(
                "write_keys", {"compiled": at["compiled"], "srs": str(srs), "vk": at["vk"], "pk": at["pk"]}
            )
            for _ in range(repeat)
        ]
        rng = np.random.default_rng(_SEED)
        rows = rng.integers(-(2**15), 2**15, (shape.slots, shape.length)).astype(float).tolist()
        (home / "inputs").write_text(json.dumps({"input_data": rows}))
        proofs = [process.run("prove", {**at, "srs": str(srs)}) for _ in range(repeat)]
        inspect = {name: at[name] for name in ("settings", "vk")} | {"verifier": str(home / "verifier.sol")}
        process.run("inspect", {**inspect, "srs": str(srs), "length": shape.length})
        document = json.loads((home / "proof").read_text())
        code, gas = on_chain((home / "verifier.sol").read_text(), document)
        times = [outcome.cpu_s for outcome in proofs]
        return Measured(
            layout,
            statistics.median(outcome.cpu_s for outcome in made),
            statistics.median(times),
            max(times) - min(times),
            max(outcome.peak_rss_bytes for outcome in made),
            max(outcome.peak_rss_bytes for outcome in proofs),
            (home / "pk").stat().st_size,
            (home / "vk").stat().st_size,
            len(document["proof"]),
            code,
            gas,
        )


def on_chain(source: str, proof: dict[str, Any]) -> tuple[int, int | None]:
    """Bytes of the verifier's code, and the gas of a transaction that verifies `proof`, its calldata included."""
    artifact = compile_source(CONTRACT, source)
    code = len(bytes.fromhex(artifact.deployed_bytecode))
    if code > EIP_170:
        return code, None
    with Anvil() as chain:
        web3 = Web3(Web3.HTTPProvider(chain.url))
        sender = {"from": web3.eth.accounts[0], "gas": _BLOCK_GAS}
        made = (
            web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
            .constructor()
            .transact(sender)
        )
        place = web3.eth.wait_for_transaction_receipt(made)["contractAddress"]
        instances = [felts.unsigned(felt) for felt in proof["instances"][0]]
        contract = web3.eth.contract(address=place, abi=list(artifact.abi))
        sent = contract.functions.verifyProof(bytes(proof["proof"]), instances).transact(sender)
        receipt = web3.eth.wait_for_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise SystemExit("the verifier refuses an honest proof")
        return code, int(receipt["gasUsed"])


def show(shape: CircuitShape, found: list[Measured], console: Console) -> None:
    """One shape's table."""
    best = min((one for one in found if one.fits), key=lambda one: one.prove_s)
    table = Table(
        "columns, rows", "setup s", "MiB", "prove s", "±", "MiB",
        "pk MiB", "vk KiB", "proof B", "verifier B", "gas", "",
        title=f"{shape.slots} x {shape.length}",
    )  # fmt: skip
    for one in found:
        marks = ["best"] * (one is best) + ["chosen"] * (one.layout == layout_of(shape))
        marks += [] if one.fits else ["beyond EIP-170"]
        table.add_row(
            f"{one.layout.columns}, 2^{one.layout.logrows}",
            f"{one.setup_s:.1f}",
            f"{one.setup_bytes / 2**20:.0f}",
            f"{one.prove_s:.1f}",
            f"{one.spread_s:.1f}",
            f"{one.prove_bytes / 2**20:.0f}",
            f"{one.pk / 2**20:.0f}",
            f"{one.vk / 2**10:.0f}",
            f"{one.proof:,}",
            f"{one.verifier:,}",
            "" if one.gas is None else f"{one.gas:,}",
            ", ".join(marks),
        )
    console.print(table)


def main() -> None:
    """Measures the shapes on the command line and prints a table for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="*", default=["8x1000"], metavar="KxD")
    parser.add_argument("--columns", default="1,2,3,4,5,6,7", help="numbers of columns to try")
    parser.add_argument("--repeat", type=int, default=1, help="proofs of each layout; the median counts")
    parser.add_argument("--base", default="256:2", help="decomposition base and legs, as BASE:LEGS")
    parser.add_argument("--cache", type=Path, help="where test SRSs are kept; a fresh directory without it")
    given = parser.parse_args()
    base, legs = (int(part) for part in given.base.split(":"))
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="fairshare-layouts-") as scratch:
        cache = given.cache or Path(scratch)
        for text in given.shapes:
            shape = shape_of(text)
            found = [
                measure(shape, int(columns), cache, repeat=given.repeat, base=base, legs=legs)
                for columns in given.columns.split(",")
            ]
            show(shape, found, console)


if __name__ == "__main__":
    main()
