"""A node's telemetry as Prometheus metrics (https://prometheus.io/docs/practices/naming/), listed in docs/operating.md.

Values beyond 2^53, as wei are, lose their last digits in Prometheus: it keeps floats.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from marketplace.chain.types import NATIVE_COIN, Address
from marketplace.node.telemetry.deadlines import deadlines
from marketplace.node.telemetry.health import Patience, alive, ready
from marketplace.node.telemetry.probe import Found, Probe
from marketplace.node.telemetry.record import Record, Snapshot


@dataclass(frozen=True)
class Identity:
    """Who the node is."""

    role: str
    account: Address
    chain_id: int


class NodeCollector(Collector):
    """Reads record and probe anew for each scrape; asks nothing of the network."""

    def __init__(self, identity: Identity, record: Record, probe: Probe, patience: Patience) -> None:
        self._identity = identity
        self._record = record
        self._probe = probe
        self._patience = patience

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        snapshot, found = self._record.snapshot(), self._probe.found
        info = GaugeMetricFamily(
            "fairshare_node", "Always 1.", labels=["role", "address", "chain_id", "version"]
        )
        who = self._identity
        info.add_metric([who.role, who.account, str(who.chain_id), version("fairshare")], 1)
        yield info
        healthy = alive(snapshot, self._patience).ok
        readied = ready(None if found is None else found.probed, snapshot.at, self._patience).ok
        yield _gauge("fairshare_healthy", "1 where /healthz says so.", healthy)
        yield _gauge("fairshare_ready", "1 where /readyz says so.", readied)
        yield from _loops(snapshot)
        yield from _work(snapshot)
        yield from _projects(snapshot)
        if found is not None:
            yield from _money(found)
        block = found.block if found is not None and found.block is not None else snapshot.block
        if block is not None:
            yield _gauge("fairshare_block_number", "Newest block.", block.number)
            age = max(0.0, time.time() - block.timestamp)
            yield _gauge("fairshare_block_age_seconds", "Since the newest block's timestamp.", age)


def _loops(snapshot: Snapshot) -> Iterator[Metric]:
    since = GaugeMetricFamily(
        "fairshare_loop_idle_seconds", "Since the loop last looked at the chain.", labels=["loop"]
    )
    busy = GaugeMetricFamily(
        "fairshare_loop_busy_seconds", "For which the loop is at one piece of work.", labels=["loop", "work"]
    )
    failed = GaugeMetricFamily(
        "fairshare_loop_failed", "1 for a loop that an error has ended for good.", labels=["loop"]
    )
    for loop in snapshot.loops:
        failed.add_metric([loop.name], loop.error is not None)
        if loop.error is not None:
            continue
        since.add_metric([loop.name], snapshot.at - loop.turned_at)
        if loop.busy is not None:
            busy.add_metric([loop.name, loop.busy], snapshot.at - loop.busy_since)
    yield from (since, busy, failed)


def _work(snapshot: Snapshot) -> Iterator[Metric]:
    seconds = CounterMetricFamily("fairshare_work_seconds", "Time that work took.", labels=["work"])
    times = CounterMetricFamily("fairshare_work_done", "Pieces of work.", labels=["work"])
    for work, effort in snapshot.efforts.items():
        seconds.add_metric([work], effort.seconds)
        times.add_metric([work], effort.times)
    yield seconds
    yield times
    yield CounterMetricFamily(
        "fairshare_fetched_bytes", "Bytes that came out of storage.", value=snapshot.fetched_bytes
    )
    yield CounterMetricFamily(
        "fairshare_served_bytes", "Bytes given to the storage node to serve.", value=snapshot.stored_bytes
    )


def _projects(snapshot: Snapshot) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "fairshare_project_status", "1 for the status it is in.", labels=["project", "status"]
    )
    round_ = GaugeMetricFamily("fairshare_project_round", "Round under way.", labels=["project"])
    rounds = GaugeMetricFamily("fairshare_project_rounds", "Last round.", labels=["project"])
    ahead = GaugeMetricFamily(
        "fairshare_deadline_seconds",
        "From the newest block to a deadline that is ahead.",
        labels=["project", "deadline"],
    )
    for number, (project, block) in snapshot.projects.items():
        status.add_metric([str(number), project.status.name.lower()], 1)
        round_.add_metric([str(number)], project.round)
        rounds.add_metric([str(number)], project.last_round)
        newest = block if snapshot.block is None else snapshot.block
        for name, seconds in deadlines(project, newest.timestamp).items():
            ahead.add_metric([str(number), name], seconds)
    yield from (status, round_, rounds, ahead)


def _money(found: Found) -> Iterator[Metric]:
    spent = found.spent
    transactions = CounterMetricFamily(
        "fairshare_transactions", "Transactions of the account's journal.", labels=["state"]
    )
    transactions.add_metric(["sent"], spent.sent)
    transactions.add_metric(["failed"], spent.failed)
    yield transactions
    yield _gauge("fairshare_transactions_pending", "Transactions that are in no block yet.", spent.pending)
    yield CounterMetricFamily(
        "fairshare_gas_spent_wei", "Paid for gas, failed transactions included.", value=spent.gas_wei
    )
    if found.probed.balance is not None:
        yield _gauge("fairshare_balance_wei", "Coins of the account.", found.probed.balance)
    if found.probed.needed is not None:
        yield _gauge("fairshare_needed_wei", "For gas of the next transactions.", found.probed.needed)
    if found.peers is not None:
        yield _gauge("fairshare_storage_peers", "Peers of the storage node.", found.peers)
    yield from _standings(found)


def _standings(found: Found) -> Iterator[Metric]:
    labels = ["project", "token"]
    staked = GaugeMetricFamily("fairshare_stake_locked", "Stake locked, smallest unit.", labels=labels)
    earned = GaugeMetricFamily("fairshare_earned", "Earned in all, smallest unit.", labels=labels)
    claimed = GaugeMetricFamily("fairshare_claimed", "Of it claimed, smallest unit.", labels=labels)
    for part in found.standings:
        names = [str(part.project), "native" if part.token == NATIVE_COIN else part.token]
        staked.add_metric(names, part.staked)
        earned.add_metric(names, part.earned)
        claimed.add_metric(names, part.claimed)
    yield from (staked, earned, claimed)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
