"""Circuits on chain: their digest, and how one is deployed and registered."""

from __future__ import annotations

import dataclasses

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3

from marketplace.chain.artifacts import Artifact
from marketplace.chain.contracts import GRAM_VERIFIER, contract_at
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Address, Circuit
from marketplace.errors import FairshareError, Reason
from zk.files import CircuitFiles


def circuit_of(files: CircuitFiles, verifier: Address = NATIVE_COIN) -> Circuit:
    """The circuit of these files, as it is registered with a verifier at this address; by default, at none yet."""
    return Circuit(
        verifier=verifier,
        slots=files.shape.slots,
        logrows=files.logrows,
        length=files.shape.length,
        proof_length=files.proof_length,
        zero=files.zero,
        tau=files.tau,
    )


def circuit_digest(code_hash: bytes, circuit: Circuit) -> bytes:
    """A circuit's name, whatever its verifier's address: see `IGramVerifier.register`; 32 bytes."""
    numbers = [circuit.slots, circuit.logrows, circuit.length, circuit.proof_length]
    words = [*numbers, *circuit.zero, *circuit.tau]
    return bytes(keccak(encode(["bytes32"] + ["uint256"] * len(words), [code_hash, *words])))


def digest_of(verifier: Artifact, circuit: Circuit) -> bytes:
    """The digest of `circuit` with this compiled verifier, known before it is deployed.

    Raises BAD_INPUT when the verifier's runtime code depends on its constructor.
    """
    if verifier.immutable_references:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"verifier {verifier.name} has immutables: its code is not known before it is deployed",
            "use the verifier that ezkl generates",
        )
    code_hash = bytes(keccak(bytes.fromhex(verifier.deployed_bytecode)))
    return circuit_digest(code_hash, circuit)


def deploy_circuit(
    sender: TransactionSender,
    gram_verifier: Address,
    verifier: Artifact,
    circuit: Circuit,
) -> bytes:
    """Deploys the compiled verifier and registers `circuit` with it (see `circuit_of`); returns its digest.

    Does nothing when the circuit is registered already, whoever did it. Raises what `sender.send` raises.
    """
    digest = digest_of(verifier, circuit)
    web3 = sender.client.web3
    registry = contract_at(web3, GRAM_VERIFIER, gram_verifier)
    if _is_registered(web3, gram_verifier, digest):
        return digest
    factory = web3.eth.contract(abi=list(verifier.abi), bytecode=verifier.bytecode)
    receipt = sender.send(f"deploy verifier of circuit 0x{digest.hex()}", factory.constructor())
    if receipt.contract_address is None:
        raise FairshareError(Reason.INTEGRITY, "the deployment created no contract", "use another endpoint")
    placed = dataclasses.replace(circuit, verifier=receipt.contract_address)
    try:
        # Named, for one journal may serve two markets.
        intent = f"register circuit 0x{digest.hex()} with {gram_verifier}"
        sender.send(intent, registry.functions.register(placed.to_abi()))
    except FairshareError as error:
        if error.reason is not Reason.REFUSED or not _is_registered(web3, gram_verifier, digest):
            raise  # otherwise somebody else was faster, with the same circuit
    return digest


def _is_registered(web3: Web3, gram_verifier: Address, digest: bytes) -> bool:
    with translated_errors("read a circuit"):
        found = contract_at(web3, GRAM_VERIFIER, gram_verifier).functions.circuitOf(digest).call()
    return Circuit.from_abi(found).verifier != NATIVE_COIN
