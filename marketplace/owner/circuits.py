"""The circuit of a project on this chain: its keys, its verifier, its registration."""

from __future__ import annotations

from pathlib import Path

from marketplace.chain.artifacts import Artifact
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import address
from marketplace.errors import FairshareError, Reason
from zk import keys, verifier
from zk.files import CircuitFiles
from zk.process import Progress
from zk.shape import CircuitShape


def check_srs(client: MarketClient, ceremony_srs: Path | None) -> None:
    """Refuses a test SRS anywhere but on a local chain: whoever made it can forge proofs."""
    if ceremony_srs is None and client.chain_id not in LOCAL_CHAIN_IDS:
        raise FairshareError(
            Reason.REFUSED,
            f"chain {client.chain_id} is no local test chain, and the test SRS is made on this machine",
            "give --srs FILE, an SRS of the perpetual powers of tau ceremony",
        )
    if ceremony_srs is not None and not ceremony_srs.is_file():
        raise FairshareError(
            Reason.NOT_FOUND, f"there is no SRS at {ceremony_srs}", "give the ceremony's file"
        )


def build(
    shape: CircuitShape, cache: Path, ceremony_srs: Path | None, on_progress: Progress | None = None
) -> CircuitFiles:
    """Circuit and keys of `shape`, made once and then taken from `cache`."""
    return keys.build(shape, cache, ceremony_srs=ceremony_srs, on_progress=on_progress)


def compiled_verifier(files: CircuitFiles) -> Artifact:
    """ezkl's verifier for this circuit, compiled as everything else is."""
    return compile_source(verifier.CONTRACT, verifier.source(files))


def register(client: MarketClient, sender: TransactionSender, files: CircuitFiles) -> bytes:
    """Deploys and registers the circuit unless it is; its digest, 32 bytes."""
    return deploy_circuit(
        sender,
        address(client.gram_verifier.address),
        compiled_verifier(files),
        circuit_of(files),
    )
