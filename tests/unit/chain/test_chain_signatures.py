from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from marketplace.chain import token
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source, project_root
from marketplace.chain.permit import sign_permit
from marketplace.chain.sender import TransactionSender
from marketplace.chain.submission import sign_submission, submission_hash
from marketplace.chain.types import NATIVE_COIN, Address, address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason

TOKENS = "tests/contracts/forge/support/Tokens.sol"
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1

digests = st.binary(min_size=32, max_size=32)


@given(
    project=st.integers(0, 2**256 - 1),
    round=st.integers(0, 2**16 - 1),
    digest=digests,
    key=st.integers(1, 99),
)
@settings(max_examples=25)
def test_a_submission_is_signed_for_one_digest_round_project_market_and_chain(
    project: int, round: int, digest: bytes, key: int
) -> None:
    account = Account.from_key(key.to_bytes(32, "big"))
    market = address("0x" + "12" * 20)
    signature = sign_submission(account, 5, market, project, round, digest)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
    signed = submission_hash(5, market, project, round, digest)
    assert Account._recover_hash(signed, signature=signature) == account.address
    others = {
        submission_hash(6, market, project, round, digest),
        submission_hash(5, address("0x" + "13" * 20), project, round, digest),
        submission_hash(5, market, project ^ 1, round, digest),
        submission_hash(5, market, project, round ^ 1, digest),
        submission_hash(5, market, project, round, bytes([digest[0] ^ 1]) + digest[1:]),
    }
    assert len(others - {signed}) == 5


def test_the_contract_signs_the_same(client: MarketClient) -> None:
    for project, round, digest in ((1, 1, b"d" * 32), (2**256 - 1, 2**16 - 1, bytes(32))):
        ours = submission_hash(client.chain_id, client.address, project, round, digest)
        assert client.signed_hash(project, round, digest) == ours


def deployed(holder: TransactionSender, name: str) -> tuple[Address, Contract]:
    web3 = holder.client.web3
    artifact = compile_source(name, (project_root() / TOKENS).read_text("utf8"))
    factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    where = holder.send(f"deploy {name}", factory.constructor()).contract_address
    assert where is not None
    return where, web3.eth.contract(address=web3.to_checksum_address(where), abi=list(artifact.abi))


def test_stake_by_permit(
    anvil: Anvil, client: MarketClient, senders: Callable[..., TransactionSender]
) -> None:
    holder = senders(anvil, 18)
    web3, vault = holder.client.web3, client.vault
    where, contract = deployed(holder, "PermitToken")
    holder.send("mint", contract.functions.mint(holder.address, 1000))
    deadline = client.latest_block().timestamp + 3600
    for amount in (300, 400):  # the second with the next nonce
        permit = sign_permit(web3, where, public_account(18), vault.address, amount, deadline)
        assert permit is not None
        call = vault.deposit_with_permit(where, amount, permit)
        holder.send(f"deposit {amount}", call)
    assert vault.free(where, holder.address) == 700
    assert token.allowance(web3, where, holder.address, vault.address) == 0

    stale = sign_permit(web3, where, public_account(18), vault.address, 100, deadline)
    assert stale is not None
    forged = replace(stale, s=bytes(31) + b"\1")
    with pytest.raises(FairshareError, match="permit rejected") as caught:
        holder.send("forged", vault.deposit_with_permit(where, 100, forged))
    assert caught.value.reason is Reason.NO_FUNDS
    holder.send("approve", token.approve(web3, where, vault.address, 100))
    holder.send("approved before", vault.deposit_with_permit(where, 100, forged))
    assert vault.free(where, holder.address) == 800


def test_tokens_that_take_no_permits(
    anvil: Anvil, client: MarketClient, senders: Callable[..., TransactionSender]
) -> None:
    holder = senders(anvil, 18)
    account, web3 = public_account(18), client.web3
    spender, deadline = client.vault.address, 2**32
    assert sign_permit(web3, NATIVE_COIN, account, spender, 1, deadline) is None
    assert sign_permit(web3, spender, account, spender, 1, deadline) is None  # no token at all
    for name in ("PlainToken", "PhantomPermitToken", "NoReturnToken"):
        where, _ = deployed(holder, name)
        assert sign_permit(web3, where, account, spender, 1, deadline) is None
