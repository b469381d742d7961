"""What embedded storage nodes cost: CPU and memory of each, and of the client that asks one.

    python benchmarks/storage.py [--nodes 12] [--blobs 100] [--bytes 1500]

Nodes of one machine in a star, as in a project with one aggregator: all are connected to the first, which each uses
through a `KeepingStore` as a role's process does. CPU is that of whole processes, in milliseconds for one call; what
the others take while one works is what they are asked in vain. Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sidebyside.usage import pss

from marketplace.node.console import run as exit_status
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.keeping import KeepingStore

_IDLE_S = 5.0
_AGAIN = 50
_FETCH_S = 30.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, in the kernel too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


class Bench:
    """The nodes that run, and a table of what they take. The first is the hub."""

    def __init__(self, nodes: list[EmbeddedNode]) -> None:
        self._nodes = nodes
        self.table = Table("", "wall ms", "hub ms", "leaf ms", "each other ms", "client ms")

    def step(self, name: str, calls: int, act: Callable[[], object]) -> None:
        """Does it, and adds a row: of wall and CPU time the share of one of its `calls`."""
        before = [cpu_s(node.pid) for node in self._nodes]
        client, began = time.process_time(), time.monotonic()
        act()
        wall, client = time.monotonic() - began, time.process_time() - client
        hub, leaf, *others = (cpu_s(node.pid) - then for node, then in zip(self._nodes, before, strict=True))
        spent = (wall, hub, leaf, sum(others) / max(1, len(others)), client)
        self.table.add_row(name, *(f"{1e3 * seconds / calls:.2f}" for seconds in spent))

    def memory(self, name: str) -> None:
        """Adds a row: mean PSS of the nodes."""
        mean = sum(pss(node.pid) for node in self._nodes) / len(self._nodes)
        self.table.add_row(name, *[""] * 4, f"PSS {mean / 2**20:.1f} MiB")


def start(nodes: list[EmbeddedNode], out: Console, name: str) -> None:
    """Starts them one after the other, and says what one took until it served."""
    began = time.monotonic()
    for node in nodes:
        node.start()
    wall = (time.monotonic() - began) / len(nodes)
    cpu = sum(cpu_s(node.pid) for node in nodes) / len(nodes)
    out.print(f"{name}: {1e3 * cpu:.0f} ms of CPU, {1e3 * wall:.0f} ms, on average")


def stop(nodes: list[EmbeddedNode], out: Console) -> None:
    """Stops them, and says what one took over its whole life."""
    before, began = _cpu_of_children(), time.monotonic()
    for node in nodes:
        node.stop()
    wall = (time.monotonic() - began) / len(nodes)
    whole = (_cpu_of_children() - before) / len(nodes)
    out.print(f"stopped: {1e3 * wall:.0f} ms; {1e3 * whole:.0f} ms of CPU from start to end, on average")


def measure(nodes: list[EmbeddedNode], blobs: int, size: int) -> Table:
    """The table; `blobs` of `size` bytes go from hub to leaf, and from leaf to hub."""
    bench = Bench(nodes)
    stores = [KeepingStore(node.api) for node in nodes]
    hub, leaf = stores[:2]
    (address,) = hub.addresses()
    bench.memory("started")

    def connect(at: list[KeepingStore]) -> None:
        for store in at:
            store.connect(address)

    bench.step("connect all, each", len(nodes) - 1, lambda: connect(stores[1:]))
    time.sleep(2.0)  # what peers tell each other once
    bench.step("connect again", _AGAIN, lambda: connect([leaf] * _AGAIN))
    for source, sink, way in ((hub, leaf, "hub to leaf"), (leaf, hub, "leaf to hub")):
        data = [secrets.token_bytes(size) for _ in range(blobs)]
        cids: list[str] = []

        def add_all(data: list[bytes] = data, cids: list[str] = cids, at: KeepingStore = source) -> None:
            cids.extend(map(at.add, data))

        def fetch_all(cids: list[str] = cids, at: KeepingStore = sink) -> None:
            for cid in cids:
                at.fetch(cid, max_bytes=size, timeout_s=_FETCH_S)

        bench.step(f"add, {way}", blobs, add_all)
        bench.step(f"fetch, {way}", blobs, fetch_all)
        bench.step("fetch what is here", blobs, fetch_all)
    bench.memory("after that")
    bench.step("a second of idleness", int(_IDLE_S), lambda: time.sleep(_IDLE_S))
    return bench.table


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--blobs", type=int, default=100)
    parser.add_argument("--bytes", type=int, default=1500)
    given = parser.parse_args()
    out = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="fairshare-storage-") as folder, ExitStack() as stack:
        nodes = [EmbeddedNode(Path(folder) / str(number)) for number in range(max(2, given.nodes))]
        for node in nodes:
            stack.callback(node.stop)
        start(nodes, out, "new repo, until it serves")
        stop(nodes, out)
        start(nodes, out, "old repo, until it serves")
        out.print(measure(nodes, given.blobs, given.bytes))
        stop(nodes, out)
    out.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


def _cpu_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(exit_status(main))
