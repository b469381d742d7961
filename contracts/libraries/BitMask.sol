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
    /// @dev In every pair of bits, then four, eight and sixteen, their sum; 256 fits the last. Nothing overflows.
    function count(uint256 mask) internal pure returns (uint256) {
        unchecked {
            mask -= (mask >> 1) & (type(uint256).max / 3);
            mask = (mask & (type(uint256).max / 5)) + ((mask >> 2) & (type(uint256).max / 5));
            mask = (mask + (mask >> 4)) & (type(uint256).max / 17);
            mask = (mask + (mask >> 8)) & (type(uint256).max / 257);
            return (mask * (type(uint256).max / 65_535)) >> 240;
        }
    }
}
