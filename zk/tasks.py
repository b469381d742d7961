"""What the worker process can do. Arguments and results are JSON; bulk data goes through files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zk import felts
from zk.backend import ezkl
from zk.shape import Range

Say = Callable[[str], None]
Result = dict[str, Any]

# ezkl writes the verifier's source, then looks for a compiler of its own and tries to download one: only that
# may fail.
_NO_COMPILER = re.compile(r"^Failed to run create_evm_verifier: \[eth\] (svm|solc)\b")
_PROOF_LENGTH = re.compile(r"eq\((0x[0-9a-f]+), proof\.length\)")


def write_srs(say: Say, *, path: str, logrows: int) -> Result:
    """Makes an SRS here, from this machine's randomness: for tests only."""
    say("srs")
    ezkl.gen_srs(path, logrows)
    return {}


def write_source(
    say: Say, *, slots: int, length: int, range: Range, network: str, settings: str, compiled: str
) -> Result:
    """ONNX graph, settings and compiled circuit of a shape."""
    from zk import circuit, shape  # onnx is needed for this task alone

    say("circuit")
    meant = shape.CircuitShape(slots, length, range)
    circuit.write_source(meant, Path(network), Path(settings), Path(compiled))
    return {}


def write_keys(say: Say, *, compiled: str, srs: str, vk: str, pk: str) -> Result:
    """Verifying and proving key; the same circuit and SRS give the same bytes."""
    say("keys")
    _require(ezkl.setup(compiled, vk, pk, srs), "setup")
    return {}


def inspect(say: Say, *, length: int, settings: str, vk: str, srs: str, verifier: str) -> Result:
    """Commitment of the zero vector, the verifier's Solidity source and the proof length that it accepts."""
    say("inspect")
    points = ezkl.kzg_commit([felts.encode(0)] * length, vk, settings, srs)
    _require(len(points) == 1, "one commitment for each update")
    asyncio.run(_write_verifier(settings, vk, srs, verifier))
    lengths = _PROOF_LENGTH.findall(Path(verifier).read_text())
    _require(len(lengths) == 1, "a verifier that checks the proof's length")
    zero = [felts.unsigned(points[0].x), felts.unsigned(points[0].y)]
    return {"zero": [hex(coordinate) for coordinate in zero], "proof_length": int(lengths[0], 16)}


async def _write_verifier(settings: str, vk: str, srs: str, verifier: str) -> None:
    try:
        await ezkl.create_evm_verifier(vk, settings, verifier, f"{verifier}.abi", srs)
    except RuntimeError as error:
        if not _NO_COMPILER.match(str(error)):
            raise


def prove(
    say: Say,
    *,
    inputs: str,
    witness: str,
    proof: str,
    settings: str,
    compiled: str,
    vk: str,
    pk: str,
    srs: str,
) -> Result:
    """Proves the updates in `inputs` and checks the proof, so that a bad one never leaves this process."""
    say("witness")
    ezkl.gen_witness(inputs, compiled, witness, vk_path=vk, srs_path=srs)
    say("prove")
    ezkl.prove(witness, compiled, pk, proof, srs)
    say("verify")
    _require(ezkl.verify(proof, settings, vk, srs), "a proof that verifies")
    return {}


def verify(say: Say, *, proof: str, settings: str, vk: str, srs: str) -> Result:
    """Whether the proof file holds; ezkl raises for most that do not."""
    say("verify")
    try:
        return {"ok": bool(ezkl.verify(proof, settings, vk, srs))}
    except BaseException as error:
        if isinstance(error, RuntimeError) or type(error).__name__ == "PanicException":
            return {"ok": False, "why": str(error)}
        raise


TASKS: dict[str, Callable[..., Result]] = {
    task.__name__: task for task in (write_srs, write_source, write_keys, inspect, prove, verify)
}


def _require(condition: object, what: str) -> None:
    if not condition:
        raise RuntimeError(f"ezkl did not give {what}")
