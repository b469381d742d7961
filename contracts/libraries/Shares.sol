// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Krum} from "./Krum.sol";

/// @title From contributions to amounts (docs/protocol.md, "From G to pay", 10)
library Shares {
    uint256 private constant BASIS_POINTS = 10_000;

    /// @notice Shares a pot by a verdict; what is rounded off, or has nobody to go to, is not given.
    /// @param referenceShare Basis points of the pot that go by the reference, where it counts.
    /// @return bySlot Amounts; `given` is their sum, at most `pot`.
    function amounts(
        uint256 pot,
        Krum.Verdict memory verdict,
        uint256 referenceShare
    ) internal pure returns (uint96[] memory bySlot, uint256 given) {
        uint256 slots = verdict.contributions.length;
        bySlot = new uint96[](slots);
        // pot < 2^99, a contribution < 2^100: no product overflows.
        uint256 byReference = verdict.byReference ? (pot * referenceShare) / BASIS_POINTS : 0;
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 amount = 0;
            if (verdict.total != 0) amount = ((pot - byReference) * verdict.contributions[slot]) / verdict.total;
            if (verdict.referenceTotal != 0) {
                amount += (byReference * verdict.referenceContributions[slot]) / verdict.referenceTotal;
            }
            bySlot[slot] = uint96(amount); // at most the pot, which terms bound (TermsCheck)
            given += amount;
        }
    }
}
