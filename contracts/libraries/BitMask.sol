// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Sets of slots as bit masks
library BitMask {
    /// @notice Whether `slot` is in the set.
    function has(uint256 mask, uint256 slot) internal pure returns (bool) {
        return (mask >> slot) & 1 == 1;
    }

    /// @notice Whether every slot of `part` is in `whole`.
    function isWithin(uint256 part, uint256 whole) internal pure returns (bool) {
        return part & ~whole == 0;
    }

    /// @notice Number of slots in the set.
    function count(uint256 mask) internal pure returns (uint256 total) {
        // Clears the lowest bit in each turn: as many turns as slots.
        for (; mask != 0; mask &= mask - 1) ++total;
    }
}
