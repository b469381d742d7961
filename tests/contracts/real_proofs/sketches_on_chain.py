"""The libraries of the sketch path on a chain, behind the contract `Sketches` of this folder."""

from __future__ import annotations

from web3 import Web3
from web3.contract import Contract

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_standard, project_root, source_text, standard_input
from marketplace.devnet.anvil import public_account

NAME = "Sketches"
_PATH = f"tests/contracts/real_proofs/{NAME}.sol"


def deploy_sketches(web3: Web3) -> Contract:
    """The contract on this chain, with the market's own compiler settings."""
    artifact = _compiled()
    factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    sent = factory.constructor().transact({"from": public_account(1).address})
    place = web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)["contractAddress"]
    assert place is not None
    return web3.eth.contract(address=place, abi=list(artifact.abi))


def _compiled() -> Artifact:
    root = project_root()
    contracts = [path.relative_to(root).as_posix() for path in sorted((root / "contracts").rglob("*.sol"))]
    sources = {path: source_text(path) for path in (_PATH, *contracts)}
    return compile_standard(standard_input(sources, _PATH, NAME))[NAME]
