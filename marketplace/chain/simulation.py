"""What a transaction would do and cost, found out before anything is signed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hexbytes import HexBytes
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import Web3RPCError
from web3.types import BlockIdentifier, Nonce, RPCResponse, TxParams, Wei

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.fees import Fees, gas_limit
from marketplace.chain.json_rpc import (
    Request,
    amount_in,
    answers,
    ask,
    block_in,
    block_request,
    block_tag,
    number_in,
    request,
    result_in,
)
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason

_PENDING: Final = "pending"  # as in the next block: its time decides whether a deadline has passed
_WEI = 10**18
_MARKET = (block_request("latest"), request("eth_maxPriorityFeePerGas"))

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

    def transaction(self, sender: Address) -> dict[str, str]:
        """As JSON-RPC has it."""
        fields = {"from": sender, "data": "0x" + self.data.hex(), "value": hex(self.value)}
        return fields if self.to is None else {**fields, "to": self.to}

    def simulated(self, sender: Address, block: BlockIdentifier) -> Request:
        """Asks what it would do after `block`, a number or a tag."""
        return request("eth_call", self.transaction(sender), block_tag(block))


@dataclasses.dataclass(frozen=True)
class Preview:
    """What a transaction would need. Amounts in wei, fees for a unit of gas."""

    gas_estimate: int
    gas_limit: int
    block: int  # the newest
    base_fee: int  # of that block
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
    with translated_errors(call.name):
        held, done, gas, *market = answers(
            client.web3,
            [
                request("eth_getBalance", sender, _PENDING),
                call.simulated(sender, _PENDING),
                request("eth_estimateGas", call.transaction(sender), _PENDING),
                *_MARKET,
            ],
        )
        balance = amount_in(result_in(held))
        if call.value > balance:
            raise no_funds(sender, balance, call.value)
        result_in(done)
        estimate = number_in(result_in(gas))
        latest, base_fee, fees = _market_in(client, market)
        fees = fees.capped(most_fee)
        limit = gas_limit(estimate, number_in(latest["gasLimit"]))
        block = number_in(latest["number"])
    needed = call.value + limit * fees.max_fee
    if needed > balance:
        raise no_funds(sender, balance, needed)
    return Preview(
        gas_estimate=estimate,
        gas_limit=limit,
        block=block,
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
            ask(client.web3, call.simulated(sender, block))
    except FairshareError as error:
        if error.reason is Reason.CHAIN_UNREACHABLE:
            raise
        return False
    return True


def market_fees(client: ChainClient) -> tuple[int, Fees]:
    """The newest block's base fee, and what gets a transaction into the next ones."""
    with translated_errors("read the chain's fees"):
        _, base_fee, fees = _market_in(client, answers(client.web3, _MARKET))
        return base_fee, fees


def _market_in(client: ChainClient, given: Sequence[RPCResponse]) -> tuple[Mapping[str, Any], int, Fees]:
    """The newest block, its base fee and today's fees, from the answers to `_MARKET`."""
    newest, tip = given
    latest = block_in(newest)
    base_fee = number_in(latest.get("baseFeePerGas", "0x0"))
    try:
        priority_fee = number_in(result_in(tip))
    except Web3RPCError:  # not every endpoint has that method; web3 reckons it from the last blocks
        priority_fee = int(client.web3.eth.max_priority_fee)
    return latest, base_fee, Fees.for_next_blocks(base_fee, priority_fee)


def no_funds(account: Address, balance: int, needed: int) -> FairshareError:
    """NO_FUNDS in words."""
    return FairshareError(
        Reason.NO_FUNDS,
        f"account {account} has {balance / _WEI:.6g} coins, but this needs {needed / _WEI:.6g}",
        f"send it at least {(needed - balance) / _WEI:.6g} more",
    )
