"""The circuit of a project on this chain: its keys, its verifier, its registration."""

from __future__ import annotations

from pathlib import Path

from marketplace.chain.artifacts import Artifact
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.sender import TransactionSender
from marketplace.chain.srs_rule import require_srs
from marketplace.errors import FairshareError, Reason
from zk import ceremony, keys, srs, verifier
from zk.files import CircuitFiles
from zk.process import Progress
from zk.shape import CircuitShape, layout_of


def srs_for(chain_id: int, shape: CircuitShape, cache: Path, given: Path | None) -> Path | None:
    """The SRS file that a project's circuit takes: the one `given`, else on a public chain the one that was imported.

    None: a local chain, where a test SRS made on this machine will do. Raises NOT_FOUND, and REFUSED where the chain is
    public and the SRS not the ceremony's.
    """
    logrows = layout_of(shape).logrows
    if given is None and chain_id in LOCAL_CHAIN_IDS:
        return None
    path = given or ceremony.installed(cache, logrows)
    if path is None:
        raise FairshareError(
            Reason.REFUSED,
            f"chain {chain_id} is no local test chain, and no SRS of the ceremony for 2^{logrows} rows is here",
            f"get one by `fairshare circuit srs import FILE --logrows {logrows}`, or give --srs FILE",
        )
    if not path.is_file():
        raise FairshareError(Reason.NOT_FOUND, f"there is no SRS at {path}", "give the ceremony's file")
    require_srs(srs.kind_of(path.read_bytes(), logrows), chain_id)
    return path


def build(
    shape: CircuitShape, cache: Path, srs_file: Path | None, on_progress: Progress | None = None
) -> CircuitFiles:
    """Circuit and keys of `shape`, made once and then taken from `cache`; `srs_file` as from `srs_for`."""
    return keys.build(shape, cache, srs_file=srs_file, on_progress=on_progress)


def compiled_verifier(files: CircuitFiles) -> Artifact:
    """ezkl's verifier for this circuit, compiled as everything else is."""
    return compile_source(verifier.CONTRACT, verifier.source(files))


def register(client: MarketClient, sender: TransactionSender, files: CircuitFiles) -> bytes:
    """Deploys and registers the circuit unless it is; its digest, 32 bytes."""
    return deploy_circuit(
        sender,
        client.gram_verifier_address,
        compiled_verifier(files),
        circuit_of(files),
    )
