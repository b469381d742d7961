// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1} from "../libraries/BN254.sol";

// What goes back and forth on the sketch path (docs/sketch.md). A *root* is that of a vector's tree of chunks, an
// *input* of the circuit is a slot, and the owner's reference after the last one.

/// @notice What the result of a cohort's round says there, beside RoundResult.
struct SketchResult {
    bytes32[] roots; // by input, of the updates; 0 where none is present
    bytes32 root; // of the new model
    bytes32 seed; // of the sketches; a reorganisation may draw another
    uint16 leftOut; // mask of inputs whose complaint was answered and whose update could not be had all the same
}

/// @notice What a result states: preimage of `Outcome.statement`.
struct SketchStatement {
    bytes commitments; // of the sketches, 64 bytes an input
    bytes32 gram; // keccak256 of its words
    bytes32[] roots; // by input
    uint16 present; // masks of inputs
    uint16 merged;
    G1 sum; // C_0 + the sum over merged of (S_i - C_0)
    bytes32 root; // of the new model
}

/// @notice What a challenge asks, and about which results.
struct SketchQuestion {
    uint8 cohort; // whose result; not looked at where the sum is asked about
    uint8 slot; // Sketch: the input, or 255 for the sum
    uint32 chunk; // Chunk
    SketchStatement[] statements; // of that result; of all the round's results in their order, for the sum
}

/// @notice "Show this chunk of the new model": all that an answer is held against.
struct ChunkFacts {
    uint16 round;
    uint8 cohort;
    uint32 chunk;
    bytes32 before; // root of the model before the result
    bytes32 root; // and after it
    bytes32[] merged; // roots of the merged updates, in the order of their slots
}

/// @notice "This commitment is not that of the sketch": all that an answer is held against.
struct SketchFacts {
    uint16 round;
    uint8 cohort; // 0 for the sum
    uint8 slot; // the input, or 255: the sum
    bytes32 seed;
    G1 commitment; // S
    bytes32 before; // root of the model before the round; 0 for an update
    bytes32 root; // of the update, or of the model after the round
}

/// @notice A chunk's leaf, and its way up to a root.
struct LeafPath {
    G1 point;
    bytes32 hash; // keccak256 of the packed chunk
    bytes32[] path; // siblings, from the leaf's own up
}

/// @notice A chunk of an update, as an answer to a complaint shows it.
struct UpdateChunk {
    bytes32 root; // of the update
    G1 point;
    bytes packed; // little-endian int16, exactly chunkLength of them
    bytes32[] path;
    G1 proof; // that `point` opens to `packed`
}

/// @notice A chunk of the new model, and where it came from.
struct ShownChunk {
    LeafPath before; // the same chunk of the model before
    LeafPath[] merged; // of the merged updates, in the order of ChunkFacts.merged
    bytes packed; // little-endian int32, exactly chunkLength of them
    bytes32[] path; // of the new leaf
    G1 proof; // that its point opens to `packed`
}

/// @notice The chunk that a value of an answer is not of.
struct SketchEvidence {
    LeafPath before; // of the model before the round; empty for an update
    bytes packedBefore; // int32; empty for an update
    LeafPath leaf; // of the update, or of the model after the round
    bytes packed; // int16 of an update, int32 of a model
}
