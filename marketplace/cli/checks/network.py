"""Chain, clock, market and storage."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import verify_code
from marketplace.chain.endpoint import shown
from marketplace.chain.types import Block
from marketplace.cli.checks.finding import Finding, State
from marketplace.errors import FairshareError
from marketplace.node import session
from marketplace.node.options import Settings

_MOST_SKEW_S = 30
_STALE_S = 300
_ENDPOINT_S = 1.0


def chain(client: ChainClient, block: Block) -> Finding:
    """That it answers."""
    return Finding(
        "chain", State.OK, f"chain {client.chain_id} at {shown(client.rpc_url)}, block {block.number}"
    )


def endpoints(settings: Settings) -> Finding:
    """Each of them by itself: a node hides that one of several is no good."""
    silent = []
    for url in settings.rpc:
        try:
            ChainClient(url, expected_chain_id=settings.chain_id, retry_for_s=_ENDPOINT_S).connect()
        except FairshareError as error:
            silent.append(f"{shown(url)}: {error.message}")
    said = f"{len(settings.rpc) - len(silent)} of {len(settings.rpc)} answer"
    if silent:
        return Finding("endpoints", State.WARNING, f"{said}; {'; '.join(silent)}", "correct or replace them")
    return Finding("endpoints", State.OK, said)


def clock(block: Block, now: float) -> Finding:
    """This machine's time against the newest block's. `now`: Unix time in seconds."""
    age = now - block.timestamp
    if age < -_MOST_SKEW_S:
        return Finding(
            "clock",
            State.PROBLEM,
            f"the newest block is {-age:.0f} s in this machine's future",
            "set this machine's clock, and keep it set (NTP)",
        )
    if age > _STALE_S:
        return Finding(
            "clock",
            State.WARNING,
            f"the newest block is {age:.0f} s old",
            "deadlines are block times: is the chain still making blocks, and this machine's clock right?",
        )
    return Finding("clock", State.OK, f"the newest block is {max(0.0, age):.0f} s old")


def market(client: MarketClient) -> Finding:
    """That the chain runs this checkout's contracts."""
    verify_code(client)
    said = f"{client.address}: this checkout's contracts, {client.project_count()} projects"
    return Finding("market", State.OK, said)


def storage(settings: Settings) -> Finding:
    """That a node starts, or that the named one answers; and how many peers it has."""
    with (
        TemporaryDirectory(prefix="fairshare-") as scratch,
        session.open_store(settings, Path(scratch)) as store,
    ):
        began = time.monotonic()
        store.ping()
        took, peers = time.monotonic() - began, len(store.peers())
    where = settings.storage or "an embedded node"
    said = f"{where} answers in {1000 * took:.0f} ms, {peers} peers"
    if settings.peers and not peers:
        return Finding(
            "storage", State.WARNING, said, "none of the --peer addresses can be reached: check them"
        )
    return Finding("storage", State.OK, said)
