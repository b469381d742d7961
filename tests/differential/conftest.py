"""One chain with one RoundJudge, and Shares.sol behind an address, for all the differential tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marketplace.chain.artifacts import Artifact
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_contracts
from marketplace.devnet.anvil import Anvil, public_account
from tests.differential.amounts_on_chain import AmountsOnChain, compile_amounts
from tests.differential.judge_on_chain import JudgeOnChain


@pytest.fixture(scope="session")
def chain_url() -> Iterator[str]:
    with Anvil() as anvil:
        yield anvil.url


@pytest.fixture(scope="session")
def judge_on_chain(chain_url: str) -> JudgeOnChain:
    return JudgeOnChain(chain_url, _deploy(chain_url, compile_contracts()["RoundJudge"]))


@pytest.fixture(scope="session")
def amounts_on_chain(chain_url: str) -> AmountsOnChain:
    artifact = compile_amounts()
    return AmountsOnChain(chain_url, _deploy(chain_url, artifact), artifact)


def _deploy(url: str, artifact: Artifact) -> str:
    web3 = ChainClient(url).connect().web3
    factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    sent = factory.constructor().transact({"from": public_account(0).address})
    return str(web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)["contractAddress"])
