// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LeafPath, SketchFacts} from "../../../contracts/interfaces/ISketch.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {KzgOpening} from "../../../contracts/libraries/KzgOpening.sol";
import {SketchValue} from "../../../contracts/libraries/SketchValue.sol";
import {SketchChallenges} from "../../../contracts/logic/SketchChallenges.sol";
import {SketchRounds} from "../../../contracts/logic/SketchRounds.sol";

/// @title What the market's calls compute on the sketch path, behind an address, for tests
contract Sketches {
    function seed(bytes32 blockHash, uint256 project, uint256 round) external pure returns (bytes32) {
        return SketchRounds.seedOf(blockHash, project, round);
    }

    function leaf(G1 calldata point, bytes32 hash) external pure returns (bytes32) {
        return ChunkTree.leaf(point, hash);
    }

    function root(uint256 index, uint256 chunks, LeafPath calldata given) external pure returns (bytes32) {
        return ChunkTree.root(index, chunks, ChunkTree.leaf(given.point, given.hash), given.path);
    }

    function sketch(SketchValue.Chunk calldata chunk) external pure returns (int256[] memory) {
        return SketchValue.sketch(chunk);
    }

    function challenge(bytes32 circuit, SketchFacts calldata facts) external pure returns (uint256) {
        return SketchChallenges.challengeOf(circuit, facts);
    }

    function value(int256[] calldata sums, uint256 logrows, uint256 z) external view returns (uint256) {
        return KzgOpening.evaluateList(sums, logrows, z);
    }
}
