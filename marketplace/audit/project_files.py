"""What the owner published: spec, circuit files, initial model."""

from __future__ import annotations

from pathlib import Path

from marketplace.audit.history import History
from marketplace.audit.models import check_model
from marketplace.audit.report import failed
from marketplace.chain.client import MarketClient
from marketplace.chain.events import AggregatorJoined
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import check_spec, fetch_circuit, fetch_spec
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.cid import digest_of
from marketplace.storage.store import ContentStore
from marketplace.updates.tree_committer import TreeCommitter
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.srs import SrsKind


def load_spec(client: MarketClient, store: ContentStore, history: History, timeout_s: float) -> ProjectSpec:
    """The spec, canonical and equal to the terms on chain field by field. Raises BAD_SPEC, UNAVAILABLE, .."""
    spec = fetch_spec(store, history.terms.spec, timeout_s)
    check_spec(client, spec, history.terms)
    return spec


def load_circuit(
    client: MarketClient, store: ContentStore, spec: ProjectSpec, cache: Path, timeout_s: float
) -> CircuitFiles:
    """The circuit's files as the spec names them; C_0 computed anew is the registered one."""
    try:
        return fetch_circuit(client, store, spec, cache, timeout_s)
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        raise failed(f"the spec's circuit {spec.circuit.digest} is not registered") from error


def check_srs(kind: SrsKind, chain_id: int) -> str:
    """A test SRS has no place where money is real: who made it can prove anything."""
    if kind == "ceremony":
        return "the SRS is that of the perpetual powers of tau ceremony, by its hash"
    words = "TEST SRS: made on one machine; whoever made it could prove anything"
    if chain_id not in LOCAL_CHAIN_IDS:
        raise failed(f"{words}, and chain {chain_id} is no local test chain")
    return f"{words}. Accepted on the local chain {chain_id} only"


def check_initial_model(
    store: ContentStore,
    history: History,
    spec: ProjectSpec,
    committer: Committer | TreeCommitter,
    timeout_s: float,
) -> str:
    """The initial model of the spec is the one behind M_0."""
    digest, commitment = digest_of(spec.initial_model), history.terms.initial_model
    return check_model(store, digest, commitment, committer, spec.length, timeout_s)


def check_aggregators(history: History, spec: ProjectSpec) -> str:
    """Everybody that aggregates is on the spec's list, whose Merkle root the terms hold."""
    allowed = {account.lower() for account in spec.aggregators.allowed}
    joined = history.of(AggregatorJoined)
    for event in joined:
        if event.aggregator.lower() not in allowed:
            raise failed(f"{event.aggregator} joined as an aggregator, but is not on the project's list")
    return f"{len(joined)} aggregators are on the project's list of {len(allowed)}"
