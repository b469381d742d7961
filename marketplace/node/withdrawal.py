"""Getting one's money out: credit from the market, stake from the vault."""

from __future__ import annotations

from typing import Any

from marketplace.chain.types import Status
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

    locked = client.locked_of(project, address)
    if locked and client.project(project).status in ENDED:
        sender.send(f"release:{project}", functions.release(project))
        done["released"] = str(locked)
    credit = client.credit_of(token, address)
    if credit:
        sender.send(f"claim:{token}:{block.number}", functions.claim(token, address))
        done["claimed"] = str(credit)
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
