// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A point of BN254's G1 in affine coordinates.
struct G1 {
    uint256 x;
    uint256 y;
}
