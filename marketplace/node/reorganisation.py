"""What a node concludes from blocks, and for how long it holds: docs/operating.md, "Reorganisations"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.finality import final_block, is_final
from marketplace.chain.types import Block, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.project import ProjectContext

T = TypeVar("T")


class Sees(Protocol):
    """A node with a journal."""

    @property
    def context(self) -> ProjectContext: ...
    @property
    def journal(self) -> Journal: ...


def see(node: Sees, round_: int, name: str, block: Block) -> None:
    """Writes down that something is so, as of `block`: `is_seen` from now on, unless that block vanishes."""
    node.journal.put(node.context.project, round_, name, [block.number, block.hash.hex()])


def is_seen(node: Sees, round_: int, name: str, head: Block) -> bool:
    """Whether it was seen, in a block that is still on the chain whose newest block is `head`."""
    kept = node.journal.get(node.context.project, round_, name)
    if not isinstance(kept, list):
        return bool(kept)  # of a journal older than this: taken for final
    number, hash_ = kept
    client = node.context.client
    if is_final(number, head.number, client.confirmations):
        return True
    return on_chain(client, Block(number, 0, bytes.fromhex(hash_)))


def on_chain(client: ChainClient, block: Block) -> bool:
    """Whether the chain still has this very block."""
    try:
        return client.block(block.number).hash == block.hash
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return False


def final_project(context: ProjectContext, project: Project, head: Block) -> Project | None:
    """The project as it stands in the newest final block, for what cannot be taken back; `project`: as of `head`.

    None where it was not there yet.
    """
    client = context.client
    if not client.confirmations:
        return project
    return _if_there(lambda block: client.project(context.project, block=block), client, head)


def is_over_for_good(context: ProjectContext, project: Project, head: Block) -> bool:
    """Whether the project has ended in a final block."""
    final = final_project(context, project, head)
    return final is not None and final.status in (Status.SETTLED, Status.CANCELLED, Status.HALTED)


def is_posted_for_good(context: ProjectContext, head: Block) -> bool:
    """Whether the project's number is that of these terms in a final block: before, it may become another's."""
    client = context.client
    if not client.confirmations:
        return True
    return _if_there(lambda block: client.terms(context.project, block=block), client, head) == context.terms


def final_project_count(client: MarketClient, head: Block) -> int:
    """How many projects there are in the newest final block."""
    if not client.confirmations:
        return client.project_count()
    return _if_there(lambda block: client.project_count(block=block), client, head) or 0


def _if_there(read: Callable[[int], T], client: ChainClient, head: Block) -> T | None:
    """What is read in the newest final block; None where project, or market, were not there yet."""
    try:
        return read(final_block(head.number, client.confirmations))
    except FairshareError as error:
        if error.reason not in (Reason.NOT_FOUND, Reason.NO_CONTRACT):
            raise
        return None
