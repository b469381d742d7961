"""Joining a project as an aggregator: the bond, the place on the owner's list, the contact."""

from __future__ import annotations

from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.stake import ensure_free_stake
from marketplace.node.windows import require_meetable
from marketplace.spec import allowed_list


def join(node: ProjectDaemon, contact: bytes) -> None:
    """Put up the bond and join; `contact`: see `marketplace.storage.contact`.

    Raises REFUSED for one whom the owner did not list, before anything is signed; BAD_SPEC, NO_FUNDS.
    """
    context, number = node.context, node.context.project
    require_meetable(context.spec.rounds, context.client.chain_id)
    listed = proof_of_listing(context.spec.aggregators.allowed, node.sender.address, number)
    intent, terms = f"join-as-aggregator:{number}", context.terms
    ensure_free_stake(
        context.client, node.sender, terms.token, terms.aggregator_bond, "joinAsAggregator", intent
    )
    node.sender.send(
        intent,
        context.client.market.functions.joinAsAggregator(number, node.key.public, contact, listed),
    )
    node.log.info("joined")


def proof_of_listing(allowed: tuple[str, ...], account: str, project: int) -> list[bytes]:
    """Merkle proof that the owner's list has the account; empty where anyone may aggregate. Raises REFUSED."""
    try:
        return allowed_list.proof(allowed, account)
    except ValueError as error:
        raise FairshareError(
            Reason.REFUSED,
            f"project {project} names its aggregators, and {account} is not among them",
            "take another project",
        ) from error
