"""Typed reads of the stake vault, and the calls that put stake into it."""

from __future__ import annotations

import functools
from typing import Any

from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import BlockIdentifier

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.contracts import VAULT, contract_at
from marketplace.chain.types import Address, Permit, Unbonding
from marketplace.chain.views import view


class VaultClient:
    """The StakeVault at `address`. Amounts are in the token's smallest unit."""

    def __init__(self, client: ChainClient, address: Address) -> None:
        self.address = address
        self._client = client

    @functools.cached_property
    def contract(self) -> Contract:
        """The vault, for calls that change it: web3's object takes long to make."""
        return contract_at(self._client.web3, VAULT, self.address)

    def free(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """Stake that may be locked or unbonded."""
        return int(self._call("read free stake", "freeOf", token, account, block=block))

    def locked(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """Stake locked in projects."""
        return int(self._call("read locked stake", "lockedOf", token, account, block=block))

    def unbonding(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> Unbonding:
        """Stake on its way out."""
        amount, ready_at = self._call("read unbonding stake", "unbondingOf", token, account, block=block)
        return Unbonding(amount=int(amount), ready_at=int(ready_at))

    def deposit(self, token: Address, amount: int) -> ContractFunction:
        """Adds free stake: `amount` wei sent along, or an ERC-20 that was approved before."""
        return self.contract.functions.deposit(token, amount)

    def deposit_with_permit(self, token: Address, amount: int, permit: Permit) -> ContractFunction:
        """Adds free stake of an ERC-20 by an approval of exactly `amount` for the vault (`permit.sign_permit`)."""
        return self.contract.functions.depositWithPermit(token, amount, permit.to_abi())

    def unbonding_delay(self, *, block: BlockIdentifier = "latest") -> int:
        """Seconds from `unbond` to `withdraw`."""
        return int(self._call("read the unbonding delay", "unbondingDelay", block=block))

    def _call(self, doing: str, name: str, *arguments: Any, block: BlockIdentifier) -> Any:
        return self._client.call(doing, view(VAULT, name).at(self.address, arguments), block=block)
