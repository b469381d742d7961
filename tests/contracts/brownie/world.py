"""The contracts under test and the accounts that use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from brownie import web3
from brownie.exceptions import VirtualMachineError
from eth_account import Account
from eth_account.signers.local import LocalAccount
from wire import Wired

from marketplace.chain.types import NATIVE_COIN, Address


@dataclass(frozen=True, repr=False)
class World:
    """A market on a chain of its own."""

    market: Any
    vault: Any
    reputation: Any
    erc20: Any  # everybody has plenty, and the contracts may take it
    accounts: Any
    keys: Mapping[str, LocalAccount]  # by address
    circuit: bytes
    circuit_with_reference: bytes

    def wired(self) -> World:
        """The same without brownie's bookkeeping."""
        contracts = ("market", "vault", "reputation", "erc20")
        return replace(self, **{name: Wired(getattr(self, name)) for name in contracts})

    def balance(self, token: Address, account: Any) -> int:
        if token != NATIVE_COIN:
            return int(self.erc20.balanceOf(account))
        return int(web3.eth.get_balance(str(account)))

    def account(self, holder: str) -> Any:
        return self.accounts.at(holder)

    def signature(self, trainer: Any, project: int, round: int, digest: bytes) -> bytes:
        """A trainer's, for a batch."""
        return self.signed(trainer, bytes(self.market.signedHash(project, round, digest)))

    def signed(self, account: Any, hash: bytes) -> bytes:
        """An account's signature of a hash."""
        return bytes(Account.unsafe_sign_hash(hash, self.keys[str(account)].key).signature)

    def paying(self, token: Address, sender: Any, amount: int) -> dict[str, Any]:
        """Transaction fields that let the contracts take `amount`."""
        return {"from": sender} if token != NATIVE_COIN else {"from": sender, "value": amount}

    def deposit(self, token: Address, account: Any, amount: int) -> None:
        self.vault.deposit(token, amount, self.paying(token, account, amount))


def refusal(caught: VirtualMachineError) -> str:
    """The name of the custom error with which a call was refused."""
    name, _, _ = str(caught.revert_msg).partition(":")
    return name
