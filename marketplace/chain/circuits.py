"""Circuits on chain: their digest, and how one is deployed and registered."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3

from marketplace.chain.artifacts import Artifact
from marketplace.chain.contracts import GRAM_VERIFIER, contract_at
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Address, Circuit
from marketplace.errors import FairshareError, Reason
from zk.curve import Point


def circuit_digest(code_hash: bytes, slots: int, length: int, proof_length: int, zero: Point) -> bytes:
    """A circuit's name: see `GramVerifier`; 32 bytes."""
    return bytes(
        keccak(
            encode(
                ["bytes32", "uint256", "uint256", "uint256", "uint256", "uint256"],
                [code_hash, slots, length, proof_length, zero.x, zero.y],
            )
        )
    )


def digest_of(verifier: Artifact, slots: int, length: int, proof_length: int, zero: Point) -> bytes:
    """The digest of a circuit with this compiled verifier, known before it is deployed.

    Raises BAD_INPUT when the verifier's runtime code depends on its constructor.
    """
    if verifier.immutable_references:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"verifier {verifier.name} has immutables: its code is not known before it is deployed",
            "use the verifier that ezkl generates",
        )
    code_hash = bytes(keccak(bytes.fromhex(verifier.deployed_bytecode)))
    return circuit_digest(code_hash, slots, length, proof_length, zero)


def deploy_circuit(
    sender: TransactionSender,
    gram_verifier: Address,
    verifier: Artifact,
    *,
    slots: int,
    length: int,
    proof_length: int,
    zero: Point,
) -> bytes:
    """Deploys ezkl's verifier and registers the circuit; returns its digest.

    Does nothing when the circuit is registered already, whoever did it. Raises what `sender.send` raises.
    """
    digest = digest_of(verifier, slots, length, proof_length, zero)
    web3 = sender.client.web3
    registry = contract_at(web3, GRAM_VERIFIER, gram_verifier)
    if _is_registered(web3, gram_verifier, digest):
        return digest
    factory = web3.eth.contract(abi=list(verifier.abi), bytecode=verifier.bytecode)
    receipt = sender.send(f"deploy verifier of circuit 0x{digest.hex()}", factory.constructor())
    if receipt.contract_address is None:
        raise FairshareError(Reason.INTEGRITY, "the deployment created no contract", "use another endpoint")
    circuit = Circuit(receipt.contract_address, slots, length, proof_length, zero)
    try:
        sender.send(f"register circuit 0x{digest.hex()}", registry.functions.register(circuit.to_abi()))
    except FairshareError as error:
        if error.reason is not Reason.REFUSED or not _is_registered(web3, gram_verifier, digest):
            raise  # otherwise somebody else was faster, with the same circuit
    return digest


def _is_registered(web3: Web3, gram_verifier: Address, digest: bytes) -> bool:
    with translated_errors("read a circuit"):
        found = contract_at(web3, GRAM_VERIFIER, gram_verifier).functions.circuitOf(digest).call()
    return Circuit.from_abi(found).verifier != NATIVE_COIN
