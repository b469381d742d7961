"""Getting one's money out: earnings from the market, stake from the vault."""

from __future__ import annotations

from typing import Any

from marketplace.chain.client import MarketClient
from marketplace.chain.types import Block, ChallengeKind, Status
from marketplace.node.session import Session

ENDED = frozenset({Status.SETTLED, Status.CANCELLED, Status.HALTED})


def collect_all(session: Session, project: int) -> dict[str, Any]:
    """Release, claim, and start or finish unbonding for the project's token; what was done, and what is to wait for.

    Every call may be made again: what is done already is left alone.
    """
    client, sender, address = session.client, session.sender, session.address
    token, block = client.terms(project).token, client.latest_block()
    functions, vault = client.market.functions, client.vault
    done: dict[str, Any] = {"project": project, "token": str(token)}

    locked = client.membership(project, address, block=block.number).locked
    if locked and client.project(project).status in ENDED:
        sender.send(f"release:{project}", functions.release(project))
        done["released"] = str(locked)
    owed = client.claimable(project, address, block=block.number)
    if owed and not _provisional(client, project, block):
        sender.send(f"claim:{project}:{block.number}", functions.claim(project, address))
        done["claimed"] = str(owed)
    elif owed:
        done["claimable_later"] = str(owed)
    unbonding = vault.unbonding(token, address)
    if unbonding.amount and block.timestamp >= unbonding.ready_at:
        sender.send(f"withdraw:{token}:{unbonding.ready_at}", vault.contract.functions.withdraw(token))
        done["withdrawn"] = str(unbonding.amount)
    free = vault.free(token, address)
    if free and not unbonding.amount:
        sender.send(f"unbond:{token}:{block.number}", vault.contract.functions.unbond(token, free))
    left = vault.unbonding(token, address)
    if left.amount:
        done["unbonding"], done["ready_at"] = str(left.amount), left.ready_at
    return done


def _provisional(client: MarketClient, project: int, block: Block) -> bool:
    """Whether results may still be undone, so that the market pays nothing out (`Rounds.provisional`)."""
    state = client.project(project, block=block.number)
    if state.status not in (Status.ACTIVE, Status.CLOSING):
        return False
    return (
        block.timestamp < state.challenge_deadline
        or client.challenge(project, block=block.number).kind is not ChallengeKind.NONE
        or (state.round == state.outcome_round and state.status is Status.ACTIVE)
    )
