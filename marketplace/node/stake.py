"""Stake in the vault before joining: deposit what is missing, in native coin or an ERC-20."""

from __future__ import annotations

from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.sender import TransactionSender
from marketplace.chain.simulation import no_funds
from marketplace.chain.types import NATIVE_COIN, Address
from marketplace.node.costs import TYPICAL_GAS


def ensure_free_stake(
    client: MarketClient, sender: TransactionSender, token: Address, amount: int, then: str, intent: str
) -> None:
    """Deposit what `amount` exceeds the account's free stake by; `intent` names this effect.

    `then`: the market's call that the stake is for; its gas must be there as well, or the stake is put up in vain.
    Raises NO_FUNDS, saying how much is missing, before anything is signed.
    """
    missing = amount - client.vault.free(token, sender.address)
    if missing <= 0:
        return
    coins = missing if tokens.is_native(token) else 0
    with translated_errors("read the gas price"):
        gas_price = int(client.web3.eth.gas_price)
    needed = coins + (TYPICAL_GAS["deposit"] + TYPICAL_GAS[then]) * gas_price
    held = tokens.balance(client.web3, NATIVE_COIN, sender.address)
    if held < needed:
        raise no_funds(sender.address, held, needed)
    if not tokens.is_native(token) and (
        tokens.allowance(client.web3, token, sender.address, client.vault.address) < missing
    ):
        sender.send(f"{intent}:approve", tokens.approve(client.web3, token, client.vault.address, missing))
    sender.send(f"{intent}:deposit", client.vault.contract.functions.deposit(token, missing), coins)
