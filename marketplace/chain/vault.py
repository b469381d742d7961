"""Typed reads of the stake vault, and the calls that put stake into it."""

from __future__ import annotations

from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import BlockIdentifier

from marketplace.chain.contracts import VAULT, contract_at
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import Address, Permit, Unbonding


class VaultClient:
    """The StakeVault at `address`. Amounts are in the token's smallest unit."""

    def __init__(self, web3: Web3, address: Address) -> None:
        self.address = address
        self.contract = contract_at(web3, VAULT, address)

    def free(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """Stake that may be locked or unbonded."""
        with translated_errors("read free stake"):
            return int(self.contract.functions.freeOf(token, account).call(block_identifier=block))

    def locked(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """Stake locked in projects."""
        with translated_errors("read locked stake"):
            return int(self.contract.functions.lockedOf(token, account).call(block_identifier=block))

    def unbonding(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> Unbonding:
        """Stake on its way out."""
        with translated_errors("read unbonding stake"):
            amount, ready_at = self.contract.functions.unbondingOf(token, account).call(
                block_identifier=block
            )
        return Unbonding(amount=int(amount), ready_at=int(ready_at))

    def deposit(self, token: Address, amount: int) -> ContractFunction:
        """Adds free stake: `amount` wei sent along, or an ERC-20 that was approved before."""
        return self.contract.functions.deposit(token, amount)

    def deposit_with_permit(self, token: Address, amount: int, permit: Permit) -> ContractFunction:
        """Adds free stake of an ERC-20 by an approval of exactly `amount` for the vault (`permit.sign_permit`)."""
        return self.contract.functions.depositWithPermit(token, amount, permit.to_abi())

    def unbonding_delay(self, *, block: BlockIdentifier = "latest") -> int:
        """Seconds from `unbond` to `withdraw`."""
        with translated_errors("read the unbonding delay"):
            return int(self.contract.functions.unbondingDelay().call(block_identifier=block))
