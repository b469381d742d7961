"""EIP-2612: an approval of an ERC-20 that is signed instead of sent."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from web3 import Web3

from marketplace.chain.endpoint import translated_errors
from marketplace.chain.signer import AnySigner, as_signer
from marketplace.chain.token import is_native
from marketplace.chain.types import Address, Permit, address
from marketplace.errors import FairshareError, Reason

_TYPES = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}
_VERSIONS = ("1", "2")  # of the tokens' signing domains; few tokens tell theirs (EIP-5267)


def _view(name: str, inputs: list[dict[str, str]], output: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "inputs": inputs,
        "outputs": [{"name": "", "type": output}],
        "stateMutability": "view",
    }


_ABI = [
    _view("name", [], "string"),
    _view("nonces", [{"name": "owner", "type": "address"}], "uint256"),
    _view("DOMAIN_SEPARATOR", [], "bytes32"),
]


def sign_permit(
    web3: Web3, token: Address, owner: AnySigner, spender: Address, amount: int, deadline: int
) -> Permit | None:
    """`owner`'s approval of `amount` for `spender`, good until `deadline` (block timestamp, seconds).

    None where the token takes no such approval, or signs in a domain other than EIP-2612's usual one: then
    `token.approve` it. Signed is only what gives the token's own domain separator, so a token cannot have
    anything else signed. Raises CHAIN_UNREACHABLE.
    """
    if is_native(token):
        return None
    contract = web3.eth.contract(address=Web3.to_checksum_address(token), abi=_ABI)
    try:
        with translated_errors("read how the token takes permits"):
            chain_id = int(web3.eth.chain_id)
            name = str(contract.functions.name().call())
            nonce = int(contract.functions.nonces(owner.address).call())
            separator = bytes(contract.functions.DOMAIN_SEPARATOR().call())
    except FairshareError as error:
        if error.reason not in (Reason.REFUSED, Reason.NO_CONTRACT):
            raise
        return None
    message = {
        "owner": owner.address,
        "spender": spender,
        "value": amount,
        "nonce": nonce,
        "deadline": deadline,
    }
    for version in _VERSIONS:
        domain = {
            "name": name,
            "version": version,
            "chainId": chain_id,
            "verifyingContract": address(token),
        }
        signable = encode_typed_data(domain, _TYPES, message)
        if signable.header == separator:
            signature = as_signer(owner).sign_typed_data(domain, _TYPES, message)
            return Permit(deadline=deadline, v=signature[64], r=signature[:32], s=signature[32:64])
    return None
