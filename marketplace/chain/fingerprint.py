"""What names a circuit: hashes of what is made for it, and its digest on chain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from marketplace.chain.artifacts import Artifact
from marketplace.chain.circuits import circuit_of, digest_of
from marketplace.chain.compile import compile_source, compile_standard, standard_input
from zk import verifier
from zk.files import CircuitFiles


@dataclass(frozen=True)
class Fingerprint:
    """The same on every machine for the same shape, circuit version, ezkl and SRS. 0x-hex where the chain has it."""

    settings_sha256: str
    vk_sha256: str
    srs_sha256: str
    verifier_code: str  # keccak256 of the runtime code
    digest: str


def fingerprint(files: CircuitFiles, *, anew: bool = False) -> Fingerprint:
    """The fingerprint of a circuit; `anew`: compile its verifier though it was compiled before.

    Raises TOOL_MISSING without the compiler.
    """
    artifact = _compiled_anew(files) if anew else compile_source(verifier.CONTRACT, verifier.source(files))
    code = bytes.fromhex(artifact.deployed_bytecode)
    return Fingerprint(
        settings_sha256=_sha256(files.settings),
        vk_sha256=_sha256(files.vk),
        srs_sha256=_sha256(files.srs),
        verifier_code="0x" + keccak(code).hex(),
        digest="0x" + digest_of(artifact, circuit_of(files)).hex(),
    )


def _compiled_anew(files: CircuitFiles) -> Artifact:
    sources = {f"{verifier.CONTRACT}.sol": verifier.source(files)}
    return compile_standard(standard_input(sources))[verifier.CONTRACT]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
