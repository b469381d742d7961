"""The code that runs on chain, reproduced from source: the market's contracts and the circuit's verifier."""

from __future__ import annotations

import dataclasses

from eth_utils.crypto import keccak

from marketplace.audit.history import History, Progress
from marketplace.audit.report import failed
from marketplace.chain.circuits import circuit_of, digest_of
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import verify_code
from zk import keys, verifier
from zk.files import CircuitFiles


def check_contracts(client: MarketClient) -> str:
    """The market, its vault, registry, judge, GramVerifier and linked libraries run what this checkout compiles to."""
    hashes = verify_code(client)
    return f"{', '.join(sorted(hashes))} run the code of this checkout"


def check_circuit(
    client: MarketClient, history: History, files: CircuitFiles, on_progress: Progress | None = None
) -> str:
    """Circuit, verifying key, verifier's code and C_0 made anew; they give the digest that the terms name.

    Makes the keys from the shape and the SRS: as long, and as much memory, as the owner needed.
    """
    terms, registered = history.terms, history.circuit
    if registered is None:
        raise failed(f"no circuit is registered under the terms' digest 0x{terms.circuit.hex()}")
    keys.proving_key(files, on_progress=on_progress)  # raises INTEGRITY for another verifying key
    artifact = compile_source(verifier.CONTRACT, verifier.source(files))
    code = client.code(registered.verifier, block=history.block.number)
    if keccak(code) != keccak(bytes.fromhex(artifact.deployed_bytecode)):
        raise failed(f"the verifier's code at {registered.verifier} is not the one made from the circuit")
    ours = circuit_of(files, registered.verifier)
    for field in dataclasses.fields(ours):
        here, there = getattr(ours, field.name), getattr(registered, field.name)
        if here != there:
            raise failed(f"the circuit's {field.name} is {here}, but {there} is registered")
    digest = digest_of(artifact, ours)
    if digest != terms.circuit:
        raise failed(f"the circuit's digest is 0x{digest.hex()}, but the terms name 0x{terms.circuit.hex()}")
    return f"keys, verifier, C_0 and [tau]G2 made anew give the digest 0x{digest.hex()} of the terms"
