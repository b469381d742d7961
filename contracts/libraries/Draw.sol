// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A seeded permutation of [0, size), one index at a time. Twin: marketplace/protocol/draw.py
/// @dev Feistel rounds over pairs (left, right) of numbers below ceil(sqrt(size)), walking on while the pair's number
/// left * side + right is not below size (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). There are
/// fewer than 2 * sqrt(size) + 1 pairs too many, so that an index hardly ever walks; powers of two would have up to
/// three times size too many.
library Draw {
    uint256 private constant ROUNDS = 6;

    /// @notice The index is not below the size.
    error IndexOutOfRange(uint256 index, uint256 size);

    /// @notice Where `index` goes; a bijection of [0, size) for each seed. `size` at most 2^32.
    function permute(bytes32 seed, uint256 index, uint256 size) internal pure returns (uint256) {
        if (index >= size) revert IndexOutOfRange(index, size);
        uint256 side = Math.sqrt(size, Math.Rounding.Ceil);
        // Below 2^17 each, and times ROUNDS: nothing overflows.
        unchecked {
            do {
                (uint256 left, uint256 right) = (index / side, index % side);
                for (uint256 round = 0; round < ROUNDS; ++round) {
                    uint256 mix = uint256(Hashes.efficientKeccak256(seed, bytes32(right * ROUNDS + round))) % side;
                    (left, right) = (right, (left + mix) % side);
                }
                index = left * side + right;
            } while (index >= size);
        }
        return index;
    }

    /// @notice The index that `permute` takes to `value`.
    function inverse(bytes32 seed, uint256 value, uint256 size) internal pure returns (uint256) {
        if (value >= size) revert IndexOutOfRange(value, size);
        uint256 side = Math.sqrt(size, Math.Rounding.Ceil);
        unchecked {
            do {
                (uint256 left, uint256 right) = (value / side, value % side);
                for (uint256 round = ROUNDS; round > 0; --round) {
                    uint256 mix = uint256(Hashes.efficientKeccak256(seed, bytes32(left * ROUNDS + round - 1))) % side;
                    (left, right) = ((right + side - mix) % side, left);
                }
                value = left * side + right;
            } while (value >= size);
        }
        return value;
    }
}
