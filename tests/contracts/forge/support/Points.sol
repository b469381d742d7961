// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BN254, G1} from "../../../../contracts/libraries/BN254.sol";

/// @notice Points to commit with: multiples of the generator (1, 2).
library Points {
    function multiple(uint256 factor) internal view returns (G1 memory) {
        return BN254.mul(G1(1, 2), factor);
    }

    /// @notice A proof that carries these points and `length` bytes in all.
    function proof(G1[] memory points, uint256 length) internal pure returns (bytes memory bytes_) {
        for (uint256 i = 0; i < points.length; ++i) bytes_ = abi.encodePacked(bytes_, points[i].x, points[i].y);
        bytes_ = abi.encodePacked(bytes_, new bytes(length - bytes_.length));
    }
}
