// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {UpdateChunk} from "../interfaces/ISketch.sol";
import {Arrivals, ITrainingMarket, Terms} from "../interfaces/ITrainingMarket.sol";
import {Arrival} from "../libraries/Arrival.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {BN254, G1} from "../libraries/BN254.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Complaints} from "./Complaints.sol";

/// @title Complaints on the sketch path: an answer shows one chunk, which the complaint names
/// @notice Called by TrainingMarket with its own storage. All else is as in Complaints.
/// @dev An update is too large to be shown; one chunk shows that whoever answers has that chunk (docs/sketch.md).
library SketchComplaints {
    using BitMask for uint256;

    uint256 private constant UPDATE_WIDTH = 2; // bytes of an entry
    uint256 private constant CHUNK_BITS = 16; // of a word that has a chunk for each input

    /// @notice ITrainingMarket.complainChunks.
    function complainChunks(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256[3] calldata at, // round, cohort, slots
        uint32[] calldata chunks,
        Arrivals calldata arrivals
    ) external {
        Rounds.requirePath(s.projects[project], project, true);
        Complaints.open(s, parts, project, at[0], at[1], at[2], arrivals);
        uint256 count = at[2].count();
        if (chunks.length != count) revert ITrainingMarket.InvalidLength(chunks.length, count);
        uint256 known = s.terms[project].chunks;
        uint256 named = 0;
        uint256 next = 0;
        for (uint256 input = 0; next < count; ++input) {
            if (!at[2].has(input)) continue;
            uint256 chunk = chunks[next];
            if (chunk >= known) revert ITrainingMarket.WrongChunk(chunk, known);
            named |= chunk << (input * CHUNK_BITS);
            ++next;
        }
        s.complainedChunks[project][Complaints.place(at[0], at[1], 0)] |= named;
        emit ITrainingMarket.ChunksComplained(project, at[0], at[1], at[2], chunks);
    }

    /// @notice ITrainingMarket.answerChunk.
    function answerChunk(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256[3] calldata at, // round, cohort, slot
        UpdateChunk calldata given
    ) external {
        Rounds.requirePath(s.projects[project], project, true);
        uint256 chunks = s.terms[project].chunks;
        address holder = Complaints.requireOpen(s, project, at);
        Complaints.requireDigest(s, project, at, Arrival.digestOf(uint256(given.root), chunks, holder));
        G1 calldata point = given.point;
        if (!BN254.isOnCurve(point)) revert ITrainingMarket.NotOnCurve(point.x, point.y);
        uint256 chunk = chunkOf(s, project, at);
        bytes32 leaf = ChunkTree.leaf(point, keccak256(given.packed));
        bytes32 root = ChunkTree.root(chunk, chunks, leaf, given.path);
        if (root != given.root) revert ITrainingMarket.NotUnderRoot(root, given.root);
        _requireOpening(s.terms[project], IGramVerifier(parts.gramVerifier), given);
        emit ITrainingMarket.UpdateChunkAnswered(
            project,
            at[0],
            at[1],
            at[2],
            chunk,
            root,
            point.x,
            point.y,
            given.packed
        );
        Complaints.close(s, parts, project, at, holder);
    }

    /// @notice The chunk that a complaint about this slot (round, cohort, slot) names.
    function chunkOf(
        MarketState storage s,
        uint256 project,
        uint256[3] memory at
    ) internal view returns (uint256 chunk) {
        uint256 named = s.complainedChunks[project][Complaints.place(at[0], at[1], 0)];
        return uint16(named >> (at[2] * CHUNK_BITS));
    }

    function _requireOpening(Terms storage t, IGramVerifier verifier, UpdateChunk calldata given) private view {
        uint256 length = uint256(t.chunkLength) * UPDATE_WIDTH;
        if (given.packed.length != length) revert ITrainingMarket.InvalidLength(given.packed.length, length);
        uint256 norm = verifier.openChunk(t.circuit, given.point, UPDATE_WIDTH, given.packed, given.proof);
        if (norm > t.maxNormSquared) revert ITrainingMarket.OpeningRejected();
    }
}
