"""Python computes on the sketch path what the contracts do, to the bit, and ezkl's commitments open on chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from eth_utils.crypto import keccak
from numpy.typing import NDArray
from web3.contract import Contract
from web3.exceptions import ContractLogicError

from marketplace.chain.reverts import Revert, decode_revert, revert_data
from marketplace.chain.types import LeafPath, SketchFacts
from marketplace.protocol.chunk_tree import ChunkTree, Leaf, root_from_path
from marketplace.protocol.sketch import Sketcher, sketch_seed
from marketplace.protocol.sketch_check import NOTHING, SUM, sketch_challenge
from tests.contracts.real_proofs.sketches_on_chain import deploy_sketches
from tests.contracts.real_proofs.statements import Verifier
from zk.commit import commit_column, rows_of
from zk.curve import Point
from zk.felts import FIELD
from zk.opening import open_chunk, open_value, value_at

WIDTH, CHUNK_LENGTH, CHUNKS = 256, 512, 3
SEED = sketch_seed(keccak(text="a block"), 7, 3)
REFUSED = Revert("OpeningRejected", {})


@pytest.fixture(scope="module")
def sketches(chain: Verifier) -> Contract:
    return deploy_sketches(chain.contract.w3)


def _random(kind: type[np.signedinteger[Any]], seed: int, count: int = CHUNK_LENGTH) -> NDArray[Any]:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max, count, dtype=kind, endpoint=True)


def _chunk(
    packed: NDArray[Any], minus: NDArray[Any] | None, first_block: int, width: int = WIDTH
) -> tuple[Any, ...]:
    """The argument of Sketches.sketch."""
    taken = b"" if minus is None else minus.tobytes()
    return packed.tobytes(), taken, packed.itemsize, SEED, first_block, width


def _ask(view: Any) -> Any:
    try:
        return view.call()
    except ContractLogicError as error:
        return decode_revert(revert_data(error.data)) or Revert("Unknown", {"message": str(error)})


def test_a_rounds_seed(sketches: Contract) -> None:
    for block, project, round_ in ((b"\0" * 32, 0, 0), (b"\xff" * 32, 2**256 - 1, 65_535)):
        expected = sketch_seed(block, project, round_)
        assert sketches.functions.seed(block, project, round_).call() == expected


@pytest.mark.parametrize("width", [256, 512, 1024])
@pytest.mark.parametrize("first_block", [0, 1, 4_000])
def test_sketches_of_an_updates_chunk(sketches: Contract, width: int, first_block: int) -> None:
    chunk = _random(np.int16, width + first_block, 2 * width)
    expected = Sketcher(SEED, width).sketch(chunk, first_block).tolist()
    assert sketches.functions.sketch(_chunk(chunk, None, first_block, width)).call() == expected


@pytest.mark.parametrize("first_block", [0, 9])
def test_sketches_of_a_models_move(sketches: Contract, first_block: int) -> None:
    after, before = _random(np.int32, 1), _random(np.int32, 2)
    moved = after.astype(np.int64) - before
    expected = Sketcher(SEED, WIDTH).sketch(moved, first_block).tolist()
    assert sketches.functions.sketch(_chunk(after, before, first_block)).call() == expected


def test_a_vectors_sketch_is_the_sum_of_its_chunks(sketches: Contract) -> None:
    vector = _random(np.int16, 3, CHUNKS * CHUNK_LENGTH)
    total = np.zeros(WIDTH, np.int64)
    for index, chunk in enumerate(np.split(vector, CHUNKS)):
        first = index * CHUNK_LENGTH // WIDTH
        total += np.array(sketches.functions.sketch(_chunk(chunk, None, first)).call(), dtype=np.int64)
    assert total.tolist() == Sketcher(SEED, WIDTH).sketch(vector).tolist()


def test_where_a_commitment_is_looked_at_and_its_value_there(sketches: Contract, chain: Verifier) -> None:
    point, root, before = Point(11, 12), keccak(text="root"), keccak(text="before")
    for slot, earlier in ((2, NOTHING), (SUM, before)):
        facts = SketchFacts(3, 0, slot, SEED, point, earlier, root)
        z = sketches.functions.challenge(chain.long.digest, facts.to_abi()).call()
        assert z == sketch_challenge(chain.long.digest, point.x, point.y, earlier, root, SEED)
        sums = Sketcher(SEED, WIDTH).sketch(_random(np.int16, slot))
        logrows = chain.long.files.logrows
        assert sketches.functions.value(sums.tolist(), logrows, z).call() == value_at(sums, logrows, z)


@pytest.mark.parametrize("chunks", [1, 2, 3, 5, 8, 13])
def test_leaves_and_paths(sketches: Contract, chunks: int) -> None:
    leaves = tuple(Leaf(index + 1, 2**255 + index, keccak(bytes([index]))) for index in range(chunks))
    tree = ChunkTree(leaves)
    for index, leaf in enumerate(leaves):
        point = Point(leaf.x, leaf.y)
        assert sketches.functions.leaf(point, leaf.hash).call() == leaf.digest()
        path = LeafPath(point, leaf.hash, tree.path(index))
        assert sketches.functions.root(index, chunks, path.to_abi()).call() == tree.root
        assert root_from_path(index, leaf.digest(), path.path) == tree.root
    longer = LeafPath(point, leaf.hash, (*tree.path(index), bytes(32)))
    refused = _ask(sketches.functions.root(index, chunks, longer.to_abi()))
    assert refused == Revert("InvalidLength", {"length": tree.depth + 1, "expected": tree.depth})
    refused = _ask(sketches.functions.root(chunks, chunks, path.to_abi()))
    assert refused == Revert("WrongChunk", {"chunk": chunks, "chunks": chunks})


@pytest.mark.parametrize("kind", [np.int16, np.int32])
@pytest.mark.parametrize("length", [1, 15, CHUNK_LENGTH, None])
def test_chunks_open_on_chain(chain: Verifier, kind: type[np.signedinteger[Any]], length: int | None) -> None:
    """Of any length up to the rows that are free, whatever the circuit multiplies."""
    long = chain.long
    most = rows_of(long.files)
    chunk = _random(kind, 5, length or most)
    point = commit_column(long.files, chunk)
    opening = open_chunk(long.files, chunk, circuit=long.digest)
    view = chain.contract.functions.openChunk
    width = chunk.itemsize
    asked = (long.digest, point, width, opening.packed, opening.proof)
    assert _ask(view(*asked)) == sum(entry**2 for entry in chunk.tolist())
    bent = bytes([opening.packed[0] ^ 1]) + opening.packed[1:]
    assert _ask(view(long.digest, point, width, bent, opening.proof)) == REFUSED
    for packed in (b"", opening.packed[:-1], bytes((most + 1) * width)):
        expected = Revert("WrongInputLength", {"given": len(packed), "expected": most * width})
        assert _ask(view(long.digest, point, width, packed, opening.proof)) == expected
    expected = Revert("InvalidWidth", {"width": 8})
    assert _ask(view(long.digest, point, 8, opening.packed, opening.proof)) == expected


def test_a_sketchs_value_opens_on_chain(sketches: Contract, chain: Verifier) -> None:
    """What an aggregator answers for a sketch: the chunks' values, and an opening of S to their sum."""
    long = chain.long
    vector = _random(np.int16, 6, CHUNKS * CHUNK_LENGTH)
    sketcher = Sketcher(SEED, WIDTH)
    whole = sketcher.sketch(vector)
    commitment = commit_column(long.files, whole)
    z = sketch_challenge(long.digest, commitment.x, commitment.y, NOTHING, keccak(text="root"), SEED)
    values = [
        value_at(sketcher.sketch(chunk, index * CHUNK_LENGTH // WIDTH), long.files.logrows, z)
        for index, chunk in enumerate(np.split(vector, CHUNKS))
    ]
    at_z, proof = open_value(long.files, whole, z)
    view = chain.contract.functions.openAt
    assert _ask(view(long.digest, commitment, z, at_z, proof)) == []
    zero = chain.contract.functions.zeroOf(long.digest).call()
    assert Point(*zero) == long.files.zero
    assert sum(values) % FIELD == at_z
    for claim in (
        (z, (at_z + 1) % FIELD, proof),
        (z + 1, at_z, proof),
        (z, at_z, commitment),
        (z, 0, Point(0, 0)),
    ):
        assert _ask(view(long.digest, commitment, *claim)) == REFUSED
    assert _ask(view(long.digest, long.files.zero, z, 0, Point(0, 0))) == []
    unknown = Revert("UnknownCircuit", {"digest": bytes(32)})
    assert _ask(view(bytes(32), commitment, z, at_z, proof)) == unknown
    assert _ask(chain.contract.functions.zeroOf(bytes(32))) == unknown
