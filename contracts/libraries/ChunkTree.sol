// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {LeafPath} from "../interfaces/ISketch.sol";
import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {G1} from "./BN254.sol";

/// @title The tree over a vector's chunks. Twin: marketplace/protocol/chunk_tree.py
/// @notice A leaf is keccak256 of 96 bytes, a node keccak256(left, right) of 64, so that neither passes for the other.
/// The tree is complete, of depth ceil(log2 chunks), with bytes32(0) for the leaves that there are no chunks for.
/// @dev A path binds the leaf's place, which OpenZeppelin's MerkleProof, whose nodes are sorted pairs, does not.
library ChunkTree {
    /// @notice A chunk's leaf: its point and keccak256 of its packed numbers.
    function leaf(G1 memory point, bytes32 hash) internal pure returns (bytes32) {
        return keccak256(abi.encode(point.x, point.y, hash));
    }

    /// @notice The root above a leaf.
    /// @param index The chunk's, below `chunks`.
    /// @param path Siblings from the leaf up, as many as the tree is deep.
    function root(
        uint256 index,
        uint256 chunks,
        bytes32 digest,
        bytes32[] memory path
    ) internal pure returns (bytes32 node) {
        if (index >= chunks) revert ITrainingMarket.WrongChunk(index, chunks);
        uint256 depth = Math.log2(chunks, Math.Rounding.Ceil);
        if (path.length != depth) revert ITrainingMarket.InvalidLength(path.length, depth);
        node = digest;
        for (uint256 level = 0; level < depth; ++level) {
            bytes32 sibling = path[level];
            node =
                (index >> level) & 1 == 1
                    ? Hashes.efficientKeccak256(sibling, node)
                    : Hashes.efficientKeccak256(node, sibling);
        }
    }

    /// @notice Reverts unless chunk `index` of the vector with this root has this leaf.
    function requireLeaf(bytes32 expected, uint256 index, uint256 chunks, LeafPath memory given) internal pure {
        bytes32 computed = root(index, chunks, leaf(given.point, given.hash), given.path);
        if (computed != expected) revert ITrainingMarket.NotUnderRoot(computed, expected);
    }
}
