from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from marketplace.chain import token
from marketplace.chain.compile import compile_source, project_root
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason

TOKENS = Path("tests") / "contracts" / "forge" / "support" / "Tokens.sol"


def test_an_erc20_token(anvil: Anvil, senders: Callable[..., TransactionSender]) -> None:
    holder = senders(anvil, 18)
    web3 = holder.client.web3
    artifact = compile_source("PlainToken", (project_root() / TOKENS).read_text("utf8"))
    factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    where = holder.send("deploy", factory.constructor()).contract_address
    assert where is not None
    minted = web3.eth.contract(address=web3.to_checksum_address(where), abi=list(artifact.abi))
    spender = address(public_account(19).address)
    assert (token.decimals(web3, where), token.symbol(web3, where)) == (18, "PLN")
    assert token.balance(web3, where, holder.address) == 0

    holder.send("mint", minted.functions.mint(holder.address, 1000))
    holder.send("approve", token.approve(web3, where, spender, 300))
    assert token.balance(web3, where, holder.address) == 1000
    assert token.allowance(web3, where, holder.address, spender) == 300

    for amount, words in ((1001, "insufficient balance"), (1, "insufficient allowance")):
        owner = holder.address if amount > 1000 else spender
        call = minted.functions.transfer(spender, amount)
        if amount == 1:
            call = minted.functions.transferFrom(owner, spender, amount)
        with pytest.raises(FairshareError, match=words) as caught:
            holder.send("too much", call)
        assert caught.value.reason is Reason.NO_FUNDS
