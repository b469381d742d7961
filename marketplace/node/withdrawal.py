"""Getting one's money out: earnings from the market, stake from the vault."""

from __future__ import annotations

from typing import Any

from marketplace.chain.client import MarketClient
from marketplace.chain.types import Block, ChallengeKind, Project, Status
from marketplace.node.dues import claim, release
from marketplace.node.session import Session

ENDED = frozenset({Status.SETTLED, Status.CANCELLED, Status.HALTED})


def collect_all(session: Session, project: int) -> dict[str, Any]:
    """Release, claim, and start or finish unbonding for the project's token; what was done, and what is to wait for.

    Every call may be made again: what is done already is left alone.
    """
    client, sender, address = session.client, session.sender, session.address
    token, block = client.terms(project).token, client.latest_block()
    vault = client.vault
    done: dict[str, Any] = {"project": project, "token": str(token)}

    state = client.project(project, block=block.number)
    if state.status in ENDED:
        locked = release(client, sender, project, block)
        if locked:
            done["released"] = str(locked)
    if _provisional(client, project, state, block):
        owed = client.claimable(project, address, block=block.number)
        if owed:
            done["claimable_later"] = str(owed)
    else:
        owed = claim(client, sender, project, block)
        if owed:
            done["claimed"] = str(owed)
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


def _provisional(client: MarketClient, project: int, state: Project, block: Block) -> bool:
    """Whether results may still be undone, so that the market pays nothing out (`Rounds.provisional`)."""
    if state.status not in (Status.ACTIVE, Status.CLOSING):
        return False
    return (
        block.timestamp < state.challenge_deadline
        or client.challenge(project, block=block.number).kind is not ChallengeKind.NONE
        or (state.round == state.outcome_round and state.status is Status.ACTIVE)
    )
