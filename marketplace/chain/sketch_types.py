"""Python forms of the sketch path's structs (contracts/interfaces/ISketch.sol), as `types` has the others.

A *root* is that of a vector's tree of chunks; an *input* of the circuit is a slot, and the owner's reference after
the last one (docs/sketch.md).
"""

from __future__ import annotations

import dataclasses

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.chain.abi_struct import AbiStruct
from zk.curve import Point

SUM_SLOT = 255  # in the place of an input: the sum of the merged sketches

_POINT = "(uint256,uint256)"
_STATEMENT = f"(bytes,bytes32,bytes32[],uint16,uint16,{_POINT},bytes32)"
_CHUNK_FACTS = "(uint16,uint8,uint32,bytes32,bytes32,bytes32[])"
_SKETCH_FACTS = f"(uint16,uint8,uint8,bytes32,{_POINT},bytes32,bytes32)"


@dataclasses.dataclass(frozen=True)
class SketchResult(AbiStruct):
    """What the result of a cohort's round says there, beside RoundResult."""

    roots: tuple[bytes, ...]  # by input, of the updates; zeros where none is present
    root: bytes  # of the new model
    seed: bytes  # of the sketches
    left_out: int  # mask of inputs whose complaint was answered and whose update could not be had


@dataclasses.dataclass(frozen=True)
class SketchStatement(AbiStruct):
    """What a result states: preimage of `Outcome.statement`."""

    commitments: bytes  # of the sketches, 64 bytes an input
    gram: bytes  # keccak256 of its words
    roots: tuple[bytes, ...]  # by input
    present: int  # masks of inputs
    merged: int
    sum: Point  # C_0 + the sum over merged of (S_i - C_0)
    root: bytes  # of the new model

    def digest(self) -> bytes:
        """`Outcome.statement`."""
        return bytes(keccak(encode([_STATEMENT], [self.to_abi()])))


@dataclasses.dataclass(frozen=True)
class SketchQuestion(AbiStruct):
    """What a challenge asks, and about which results."""

    cohort: int  # whose result; not looked at where the sum is asked about
    slot: int  # kind SKETCH: the input, or SUM_SLOT
    chunk: int  # kind CHUNK
    statements: tuple[SketchStatement, ...]  # of that result; of all the round's in order, for the sum


@dataclasses.dataclass(frozen=True)
class ChunkFacts(AbiStruct):
    """ "Show this chunk of the new model": all that an answer is held against."""

    round: int
    cohort: int
    chunk: int
    before: bytes  # root of the model before the result
    root: bytes  # and after it
    merged: tuple[bytes, ...]  # roots of the merged updates, in the order of their slots

    def digest(self) -> bytes:
        """`Challenge.statement`."""
        return bytes(keccak(encode([_CHUNK_FACTS], [self.to_abi()])))


@dataclasses.dataclass(frozen=True)
class SketchFacts(AbiStruct):
    """ "This commitment is not that of the sketch": all that an answer is held against."""

    round: int
    cohort: int  # 0 for the sum
    slot: int  # the input, or SUM_SLOT
    seed: bytes
    commitment: Point  # S
    before: bytes  # root of the model before the round; zeros for an update
    root: bytes  # of the update, or of the model after the round

    def digest(self) -> bytes:
        """`Challenge.statement`."""
        return bytes(keccak(encode([_SKETCH_FACTS], [self.to_abi()])))


@dataclasses.dataclass(frozen=True)
class LeafPath(AbiStruct):
    """A chunk's leaf, and its way up to a root."""

    point: Point
    hash: bytes  # keccak256 of the packed chunk
    path: tuple[bytes, ...]  # siblings, from the leaf's own up


NO_LEAF = LeafPath(Point(0, 0), bytes(32), ())


@dataclasses.dataclass(frozen=True)
class UpdateChunk(AbiStruct):
    """A chunk of an update, as an answer to a complaint shows it."""

    root: bytes  # of the update
    point: Point
    packed: bytes  # little-endian int16, exactly chunk_length of them
    path: tuple[bytes, ...]
    proof: Point  # that `point` opens to `packed`


@dataclasses.dataclass(frozen=True)
class ShownChunk(AbiStruct):
    """A chunk of the new model, and where it came from."""

    before: LeafPath  # the same chunk of the model before
    merged: tuple[LeafPath, ...]  # of the merged updates, in the order of `ChunkFacts.merged`
    packed: bytes  # little-endian int32, exactly chunk_length of them
    path: tuple[bytes, ...]  # of the new leaf
    proof: Point  # that its point opens to `packed`


@dataclasses.dataclass(frozen=True)
class SketchEvidence(AbiStruct):
    """The chunk that a value of an answer is not of."""

    before: LeafPath  # of the model before the round; NO_LEAF for an update
    packed_before: bytes  # int32; empty for an update
    leaf: LeafPath  # of the update, or of the model after the round
    packed: bytes  # int16 of an update, int32 of a model
