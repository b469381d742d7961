"""What the market owes an account, and the two calls that bring it: `release` of its stake, and `claim`."""

from __future__ import annotations

from marketplace.chain.client import MarketClient
from marketplace.chain.events import Claimed, fetch
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block
from marketplace.errors import FairshareError
from marketplace.node.logging import Logger
from marketplace.node.membership import RACES
from marketplace.node.project import ProjectContext


def collect_dues(context: ProjectContext, sender: TransactionSender, block: Block, log: Logger) -> None:
    """After a project's end: unlock what is ours in the vault, and claim what we are owed, as of the block.

    Anybody may claim for us: where it was done since the block, that is only reported.
    """
    client, project = context.client, context.project
    locked = release(client, sender, project, block)
    if locked:
        log.info("released", amount=str(locked))
    try:
        owed = claim(client, sender, project, block)
    except FairshareError as error:
        if error.reason not in RACES:
            raise
        log.warning("claim refused", problem=error.message)
        return
    if owed:
        log.info("claimed", amount=str(owed))


def release(client: MarketClient, sender: TransactionSender, project: int, block: Block) -> int:
    """Releases what is locked for the project, which must be over; how much that was at the block."""
    locked = client.membership(project, sender.address, block=block.number).locked
    if locked:
        sender.send(f"release:{project}", client.market.functions.release(project))
    return locked


def claim(client: MarketClient, sender: TransactionSender, project: int, block: Block) -> int:
    """Claims what is owed, which nothing may endanger any more; how much that was at the block.

    Each claim that the block knows of is another effect: there is more to claim after one that a reorganisation has
    put before what it was to bring.
    """
    owed = client.claimable(project, sender.address, block=block.number)
    if owed:
        claims = fetch(client, [Claimed], project, to_block=block.number)
        before = sum(event.account == sender.address for event in claims)
        sender.send(f"claim:{project}:{before}", client.market.functions.claim(project, sender.address))
    return owed
