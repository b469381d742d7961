"""One chain with one RoundJudge for all the differential tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_contracts
from marketplace.devnet.anvil import Anvil, public_account
from tests.differential.judge_on_chain import JudgeOnChain


@pytest.fixture(scope="session")
def judge_on_chain() -> Iterator[JudgeOnChain]:
    with Anvil() as anvil:
        web3 = ChainClient(anvil.url).connect().web3
        artifact = compile_contracts()["RoundJudge"]
        factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
        sent = factory.constructor().transact({"from": public_account(0).address})
        receipt = web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)
        yield JudgeOnChain(anvil.url, str(receipt["contractAddress"]))
