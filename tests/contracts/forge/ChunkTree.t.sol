// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LeafPath} from "../../../contracts/interfaces/ISketch.sol";
import {ITrainingMarket} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {TestBase} from "./support/TestBase.sol";
import {ToyTree} from "./support/ToyChunks.sol";

/// @notice Trees of chunks, against their definition level by level.
contract ChunkTreeTest is TestBase {
    function testFuzzEveryLeafIsUnderTheRootAtItsPlaceOnly(uint256 seed, uint256 count) external pure {
        count = bound(count, 1, 40);
        bytes32[] memory leaves = _leaves(seed, count);
        bytes32 top = ToyTree.root(leaves);
        for (uint256 i = 0; i < count; ++i) {
            bytes32[] memory path = ToyTree.path(leaves, i);
            vm.assertEq(ChunkTree.root(i, count, leaves[i], path), top, "its place");
            for (uint256 j = 0; j < count; ++j) {
                if (j != i) vm.assertTrue(ChunkTree.root(j, count, leaves[i], path) != top, "another place");
            }
            if (path.length == 0) continue;
            uint256 at = bound(seed, 0, path.length - 1);
            path[at] ^= bytes32(uint256(1));
            vm.assertTrue(ChunkTree.root(i, count, leaves[i], path) != top, "another path");
        }
    }

    function testALeafIsItsPointAndHash() external pure {
        bytes32 expected = keccak256(abi.encodePacked(uint256(5), uint256(6), bytes32("hash")));
        vm.assertEq(ChunkTree.leaf(G1(5, 6), "hash"), expected, "leaf");
    }

    function testOneChunkIsItsOwnRoot() external pure {
        vm.assertEq(ChunkTree.root(0, 1, "leaf", new bytes32[](0)), "leaf", "root");
    }

    function testThreeChunksHaveOneOfNothingBesideThem() external pure {
        bytes32 left = keccak256(abi.encodePacked(bytes32("a"), bytes32("b")));
        bytes32 right = keccak256(abi.encodePacked(bytes32("c"), bytes32(0)));
        bytes32[] memory path = new bytes32[](2);
        path[1] = left;
        bytes32 expected = keccak256(abi.encodePacked(left, right));
        vm.assertEq(ChunkTree.root(2, 3, "c", path), expected, "root");
    }

    function testRefusesPathsOfAnotherLengthAndPlacesBeyondTheChunks() external {
        for (uint256 count = 1; count < 10; ++count) {
            uint256 depth = ToyTree.depth(count);
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongChunk.selector, count, count));
            this.root(count, count, new bytes32[](depth));
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongChunk.selector, count + 7, count));
            this.root(count + 7, count, new bytes32[](depth));
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, depth + 1, depth));
            this.root(0, count, new bytes32[](depth + 1));
            if (depth == 0) continue;
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, depth - 1, depth));
            this.root(0, count, new bytes32[](depth - 1));
        }
    }

    function testAnotherRootIsRefused() external {
        bytes32[] memory leaves = _leaves(1, 5);
        LeafPath memory given = LeafPath(G1(1, 2), "hash", ToyTree.path(leaves, 3));
        bytes32 top = ChunkTree.root(3, 5, ChunkTree.leaf(given.point, given.hash), given.path);
        this.requireLeaf(top, 3, 5, given);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotUnderRoot.selector, top, bytes32("root")));
        this.requireLeaf("root", 3, 5, given);
    }

    function root(uint256 index, uint256 count, bytes32[] calldata path) external pure returns (bytes32) {
        return ChunkTree.root(index, count, "leaf", path);
    }

    function requireLeaf(bytes32 expected, uint256 index, uint256 count, LeafPath calldata given) external pure {
        ChunkTree.requireLeaf(expected, index, count, given);
    }

    function _leaves(uint256 seed, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = bytes32(random(seed, i, 0));
    }
}
