"""What a transaction would do and cost, found out before anything is signed."""

from __future__ import annotations

import dataclasses
from typing import Final

from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.types import BlockIdentifier, Nonce, TxParams, Wei

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.fees import Fees, gas_limit
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason

_PENDING: Final = "pending"  # as in the next block: its time decides whether a deadline has passed
_WEI = 10**18

FunctionCall = ContractFunction | ContractConstructor


@dataclasses.dataclass(frozen=True)
class Call:
    """A call to a contract, or a contract's creation where `to` is None. `value` is in wei."""

    to: Address | None
    data: bytes
    value: int
    name: str  # for messages

    @classmethod
    def of(cls, function_call: FunctionCall, value: int = 0) -> Call:
        """From web3's bound function or constructor."""
        fixed: TxParams = {
            "gas": 0,
            "gasPrice": Wei(0),
            "nonce": Nonce(0),
            "chainId": 0,
            "value": Wei(value),
        }
        built = function_call.build_transaction(fixed)
        to = built.get("to")
        return cls(
            to=Address(str(to)) if to else None,
            data=bytes(HexBytes(built["data"])),
            value=value,
            name=str(function_call.fn_name) if isinstance(function_call, ContractFunction) else "deployment",
        )

    def does_as(self, other: Call) -> bool:
        """Whether it is the same call, whatever it is named."""
        return (self.to, self.data, self.value) == (other.to, other.data, other.value)

    def transaction(self, sender: Address) -> TxParams:
        """As the endpoint wants it."""
        fields: TxParams = {
            "from": Web3.to_checksum_address(sender),
            "data": HexBytes(self.data),
            "value": Wei(self.value),
        }
        if self.to is not None:
            fields["to"] = Web3.to_checksum_address(self.to)
        return fields


@dataclasses.dataclass(frozen=True)
class Preview:
    """What a transaction would need. Amounts in wei, fees for a unit of gas."""

    gas_estimate: int
    gas_limit: int
    base_fee: int  # of the newest block
    fees: Fees
    expected_cost: int  # estimate at today's base fee, without `value`
    most_cost: int  # gas limit at the fee offered, without `value`
    value: int
    balance: int


def preview(client: ChainClient, sender: Address, call: Call, most_fee: int | None = None) -> Preview:
    """Simulates `call` as the next transaction of `sender`, which offers at most `most_fee` for a unit of gas.

    Raises what the contract's revert means (REFUSED, DEADLINE_PASSED, NO_FUNDS, ..; see `reverts`),
    NO_FUNDS when the account cannot pay, CHAIN_UNREACHABLE.
    """
    eth = client.web3.eth
    transaction = call.transaction(sender)
    with translated_errors(call.name):
        balance = int(eth.get_balance(Web3.to_checksum_address(sender), _PENDING))
        if call.value > balance:
            raise no_funds(sender, balance, call.value)
        eth.call(transaction, block_identifier=_PENDING)
        estimate = int(eth.estimate_gas(transaction, block_identifier=_PENDING))
        latest = eth.get_block("latest")
        base_fee = int(latest.get("baseFeePerGas", 0))
        fees = Fees.for_next_blocks(base_fee, int(eth.max_priority_fee)).capped(most_fee)
    limit = gas_limit(estimate, int(latest["gasLimit"]))
    needed = call.value + limit * fees.max_fee
    if needed > balance:
        raise no_funds(sender, balance, needed)
    return Preview(
        gas_estimate=estimate,
        gas_limit=limit,
        base_fee=base_fee,
        fees=fees,
        expected_cost=estimate * min(fees.max_fee, base_fee + fees.priority_fee),
        most_cost=limit * fees.max_fee,
        value=call.value,
        balance=balance,
    )


def would_succeed(client: ChainClient, sender: Address, call: Call, block: BlockIdentifier) -> bool:
    """Whether the contract would take `call` after `block`. Raises CHAIN_UNREACHABLE."""
    try:
        with translated_errors(call.name):
            client.web3.eth.call(call.transaction(sender), block_identifier=block)
    except FairshareError as error:
        if error.reason is Reason.CHAIN_UNREACHABLE:
            raise
        return False
    return True


def market_fees(client: ChainClient) -> tuple[int, Fees]:
    """The newest block's base fee, and what gets a transaction into the next ones."""
    with translated_errors("read the chain's fees"):
        base_fee = int(client.web3.eth.get_block("latest").get("baseFeePerGas", 0))
        return base_fee, Fees.for_next_blocks(base_fee, int(client.web3.eth.max_priority_fee))


def no_funds(account: Address, balance: int, needed: int) -> FairshareError:
    """NO_FUNDS in words."""
    return FairshareError(
        Reason.NO_FUNDS,
        f"account {account} has {balance / _WEI:.6g} coins, but this needs {needed / _WEI:.6g}",
        f"send it at least {(needed - balance) / _WEI:.6g} more",
    )
