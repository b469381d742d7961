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
        given = _share(bySlot, pot - byReference, verdict.contributions, verdict.total);
        given += _share(bySlot, byReference, verdict.referenceContributions, verdict.referenceTotal);
    }

    /// @dev Adds what each has of a part, which is at most the pot: so are all sums, and terms bound that (TermsCheck).
    function _share(
        uint96[] memory bySlot,
        uint256 part,
        uint256[] memory contributions,
        uint256 total
    ) private pure returns (uint256 given) {
        if (total == 0 || part == 0) return 0;
        unchecked {
            uint256 slots = bySlot.length;
            for (uint256 slot = 0; slot < slots; ++slot) {
                uint256 contribution = contributions[slot];
                if (contribution == 0) continue;
                uint256 amount = (part * contribution) / total;
                bySlot[slot] += uint96(amount);
                given += amount;
            }
        }
    }
}
