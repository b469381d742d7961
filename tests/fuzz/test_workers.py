"""What ezkl reads, damaged at random: verifying keys and settings, proofs and public numbers.

A worker process reads each of them (`zk.process`), so there are hundreds of inputs where other decoders get millions.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from tests.fuzz.test_fuzz import SEED
from tests.support.circuits import circuit_cache
from zk import keys, process, prover
from zk.files import CircuitFiles
from zk.shape import CircuitShape

_SHAPE = CircuitShape(3, 4)
_INPUTS = 60  # of each kind
_MOST_S = 60.0  # wall time of a worker, its start included, on a busy machine
_MEMORY = 4 << 30  # as `keys` gives it

pytestmark = [pytest.mark.deep, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def files() -> CircuitFiles:
    return keys.build(_SHAPE, circuit_cache())


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get(SEED, random.randrange(1, 2**31)))
    print(f"seed {seed}")
    return random.Random(seed)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes altered, a part gone, twice there, or noise."""
    changed = bytearray(data)
    start, length = rng.randrange(len(data)), rng.choice((1, 1, 1, 4, 32, 500))
    match rng.randrange(5):
        case 0:
            del changed[start : start + length]
        case 1:
            changed[start:start] = changed[start : start + length]
        case 2:
            changed[start : start + length] = bytes([rng.choice((0, 255))]) * length
        case _:
            for _ in range(length):
                changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("name", ["vk", "settings"])
def test_damaged_files_of_a_circuit(
    files: CircuitFiles, rng: random.Random, tmp_path: Path, name: str
) -> None:
    sound = getattr(files, name).read_bytes()
    given = {"settings": files.settings, "vk": files.vk, "srs": files.srs, "verifier": tmp_path / "v.sol"}
    for _ in range(_INPUTS):
        given[name] = tmp_path / name
        given[name].write_bytes(damaged(sound, rng))
        arguments = {"length": _SHAPE.length, **{key: str(path) for key, path in given.items()}}
        started = time.monotonic()
        try:
            found = process.run("inspect", arguments, on_failure=Reason.INTEGRITY, address_space=_MEMORY)
            assert found.result["proof_length"] > 0
        except FairshareError as error:
            assert error.reason is Reason.INTEGRITY, (error, given[name].read_bytes().hex())  # noqa: PT017
        assert time.monotonic() - started < _MOST_S


def test_damaged_proofs(files: CircuitFiles, rng: random.Random) -> None:
    made = prover.prove(files, [np.array([1, -2, 3, -4]), np.array([9, 0, -9, 7]), None])
    for _ in range(_INPUTS):
        proof = damaged(made.proof, rng)[: len(made.proof)].ljust(len(made.proof), b"\0")
        started = time.monotonic()
        assert prover.verify(files, proof, made.gram) is (proof == made.proof), proof.hex()
        assert time.monotonic() - started < _MOST_S
    for slot in range(_SHAPE.triangle):
        gram = list(made.gram)
        gram[slot] += rng.choice((1, -1, 2**200))
        assert prover.verify(files, made.proof, gram) is False
