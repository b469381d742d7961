"""What `fairshare doctor` looks at, in which order, and what it makes of a check that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from marketplace.chain.chain_client import ChainClient
from marketplace.cli.checks import account, machine, network, repos
from marketplace.cli.checks.finding import Finding, State
from marketplace.errors import FairshareError
from marketplace.node import session
from marketplace.node.options import Settings
from zk.shape import shape_of

_CHAIN_S = 3.0


def check_up(settings: Settings, projects: tuple[int, ...] = ()) -> Iterator[Finding]:
    """Makes all checks, in order; none changes anything. `projects`: whose proofs memory is held against.

    What needs the chain is left out where the chain does not answer, which is a finding of its own.
    """
    yield _checked("libraries", State.PROBLEM, machine.libraries)
    yield _checked("contract compiler", State.WARNING, machine.compiler)
    yield _checked("local chain", State.WARNING, machine.local_chain)
    yield from _on_chain(settings)
    yield _checked("storage", State.PROBLEM, lambda: network.storage(settings))
    yield _checked("storage size", State.WARNING, lambda: repos.repos(settings))
    yield _checked("key", State.PROBLEM, lambda: account.key(settings))
    yield _checked("secrecy", State.PROBLEM, lambda: account.secrecy(settings))
    yield _checked("disk", State.PROBLEM, lambda: machine.disk(settings))
    yield _checked("memory", State.WARNING, lambda: machine.memory(proofs_of(settings, projects)))
    yield _checked("device", State.WARNING, machine.device)


def _on_chain(settings: Settings) -> Iterator[Finding]:
    try:
        client = ChainClient(settings.rpc, expected_chain_id=settings.chain_id, retry_for_s=_CHAIN_S)
        block = client.connect().latest_block()
    except FairshareError as error:
        yield _failed("chain", State.PROBLEM, error)
    else:
        yield network.chain(client, block)
        yield network.clock(block, time.time())
        yield network.endpoints(settings)
        yield _checked("funds", State.WARNING, lambda: account.funds(settings, client))
    yield _checked("market", State.PROBLEM, lambda: network.market(session.connect(settings)))
    if settings.market is not None:
        yield _checked("encryption keys", State.PROBLEM, lambda: account.encryption_keys(settings))


def proofs_of(settings: Settings, projects: tuple[int, ...]) -> list[machine.Proven]:
    """What the projects' proofs are about; a usual one's where none is named. Raises NOT_FOUND, CHAIN_UNREACHABLE."""
    if not projects:
        return [machine.USUAL]
    client = session.connect(settings)
    circuits = {number: client.circuit(client.terms(number).circuit) for number in projects}
    return [
        machine.Proven(f"project {number}", shape_of(circuit.slots, circuit.length, circuit.logrows))
        for number, circuit in circuits.items()
    ]


def _checked(name: str, when_it_fails: State, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FairshareError as error:
        return _failed(name, when_it_fails, error)


def _failed(name: str, state: State, error: FairshareError) -> Finding:
    return Finding(name, state, error.message, error.hint)
