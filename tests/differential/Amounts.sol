// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Krum} from "../../contracts/libraries/Krum.sol";
import {Shares} from "../../contracts/libraries/Shares.sol";

/// @title Shares.sol behind an address, for tests: the market calls it inside its results only
contract Amounts {
    function amounts(
        uint256 pot,
        Krum.Verdict calldata verdict,
        uint256 referenceShare
    ) external pure returns (uint96[] memory bySlot, uint256 given) {
        return Shares.amounts(pot, verdict, referenceShare);
    }
}
