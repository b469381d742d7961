"""Stake in the vault before joining: deposit what is missing, in native coin or an ERC-20."""

from __future__ import annotations

from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address


def ensure_free_stake(
    client: MarketClient, sender: TransactionSender, token: Address, amount: int, intent: str
) -> None:
    """Deposit what `amount` exceeds the account's free stake by; `intent` names this effect.

    Raises NO_FUNDS, saying how much is missing, before anything is signed.
    """
    missing = amount - client.vault.free(token, sender.address)
    if missing <= 0:
        return
    if not tokens.is_native(token) and (
        tokens.allowance(client.web3, token, sender.address, client.vault.address) < missing
    ):
        sender.send(f"{intent}:approve", tokens.approve(client.web3, token, client.vault.address, missing))
    value = missing if tokens.is_native(token) else 0
    sender.send(f"{intent}:deposit", client.vault.contract.functions.deposit(token, missing), value)
