"""A market with its circuits, deployed by a sender: what every deployment of this folder does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import address
from marketplace.errors import FairshareError, Reason
from zk import verifier
from zk.files import CircuitFiles

# What older chains lack: TSTORE, TLOAD, PUSH0 and MCOPY (Cancun) in one creation that leaves nothing behind.
_CANCUN_PROBE = "0x5f5f5d5f5c505f5f5f5e00"
_PAIRING = "0x0000000000000000000000000000000000000008"


@dataclass(frozen=True)
class Plan:
    """What is to be deployed. `unbonding_delay_s`: in seconds, of the vault."""

    unbonding_delay_s: int
    circuits: Sequence[CircuitFiles] = ()


def carry_out(sender: TransactionSender, plan: Plan) -> Deployment:
    """Deploys, with one account; goes on where it was when run again with the same journal.

    Raises what `deploy` and `deploy_circuit` raise, and REFUSED where the chain cannot run the code.
    """
    _require_cancun(sender.client)
    deployment = deploy(sender, unbonding_delay_s=plan.unbonding_delay_s)
    for files in plan.circuits:
        code = compile_source(verifier.CONTRACT, verifier.source(files))
        place = address(deployment.gram_verifier)
        deployment = deployment.with_circuit(deploy_circuit(sender, place, code, circuit_of(files)))
    return deployment


def _require_cancun(client: ChainClient) -> None:
    """Code for a newer chain could be deployed to an older one, and would fail later, with money in it."""
    for what, call in (
        ("the instructions of Ethereum's Cancun upgrade", {"data": _CANCUN_PROBE}),
        ("the pairing of BN254 (EIP-197)", {"to": _PAIRING, "data": "0x"}),
    ):
        answer = client.web3.provider.make_request(RPCEndpoint("eth_call"), [call, "latest"])
        if "error" in answer or ("to" in call and int(str(answer["result"]) or "0x0", 16) != 1):
            raise FairshareError(
                Reason.REFUSED,
                f"chain {client.chain_id} lacks {what}",
                "deploy to a chain that has had it for long",
            )
