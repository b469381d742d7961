"""Balances and allowances of tokens: ERC-20, or the chain's own coin as `NATIVE_COIN`."""

from __future__ import annotations

from typing import Any

from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import BlockIdentifier

from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import NATIVE_COIN, Address

_NATIVE_DECIMALS = 18
_UINT256 = {"name": "", "type": "uint256"}
_ADDRESS = {"name": "", "type": "address"}


def _view(name: str, inputs: list[dict[str, str]], output: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "inputs": inputs,
        "outputs": [output],
        "stateMutability": "view",
    }


_ERC20_ABI: list[dict[str, Any]] = [  # EIP-20
    _view("balanceOf", [_ADDRESS], _UINT256),
    _view("allowance", [_ADDRESS, _ADDRESS], _UINT256),
    _view("decimals", [], {"name": "", "type": "uint8"}),
    _view("symbol", [], {"name": "", "type": "string"}),
    {
        "type": "function",
        "name": "approve",
        "inputs": [_ADDRESS, _UINT256],
        "outputs": [{"name": "", "type": "bool"}],
        "stateMutability": "nonpayable",
    },
]


def is_native(token: Address) -> bool:
    """Whether `token` stands for the chain's own coin."""
    return token == NATIVE_COIN


def balance(web3: Web3, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
    """What `account` holds, in the token's smallest unit."""
    what = "balance" if is_native(token) else f"balance in token {token}"
    with translated_errors(f"read the {what} of {account}"):
        if is_native(token):
            return int(web3.eth.get_balance(Web3.to_checksum_address(account), block))
        return int(_erc20(web3, token).functions.balanceOf(account).call(block_identifier=block))


def allowance(
    web3: Web3, token: Address, owner: Address, spender: Address, *, block: BlockIdentifier = "latest"
) -> int:
    """What `spender` may take from `owner`. Not defined for the native coin: ValueError."""
    if is_native(token):
        raise ValueError("the native coin knows no allowances")
    with translated_errors(f"read the allowance of {owner}"):
        return int(_erc20(web3, token).functions.allowance(owner, spender).call(block_identifier=block))


def decimals(web3: Web3, token: Address) -> int:
    """Decimal places between the smallest unit and the unit people speak of."""
    if is_native(token):
        return _NATIVE_DECIMALS
    with translated_errors(f"read the decimals of token {token}"):
        return int(_erc20(web3, token).functions.decimals().call())


def symbol(web3: Web3, token: Address) -> str:
    """The token's ticker, printable characters only and at most 12 of them: a token may return anything."""
    if is_native(token):
        return "ETH"
    with translated_errors(f"read the symbol of token {token}"):
        text = str(_erc20(web3, token).functions.symbol().call())
    return "".join(character for character in text if character.isprintable())[:12]


def approve(web3: Web3, token: Address, spender: Address, amount: int) -> ContractFunction:
    """The call by which an account lets `spender` take `amount`; ValueError for the native coin."""
    if is_native(token):
        raise ValueError("the native coin knows no allowances")
    return _erc20(web3, token).functions.approve(spender, amount)


def _erc20(web3: Web3, token: Address) -> Contract:
    return web3.eth.contract(address=Web3.to_checksum_address(token), abi=_ERC20_ABI)
