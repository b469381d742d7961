// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Krum} from "../../../contracts/libraries/Krum.sol";
import {Shares} from "../../../contracts/libraries/Shares.sol";
import {TestBase} from "../forge/support/TestBase.sol";

/// @notice Proved by halmos for every pot. Quotients of two variables are beyond its solvers (docs/contract-checks.md):
/// any contributions are fuzzed in tests/contracts/forge/Shares.t.sol.
contract SharesProof is TestBase {
    function check_withoutContributionsNothingIsGiven(uint96 pot, uint16 share, bool byReference) external pure {
        vm.assume(share <= 10_000);
        Krum.Verdict memory verdict = _verdict(2);
        verdict.byReference = byReference;
        (uint96[] memory bySlot, uint256 given) = Shares.amounts(pot, verdict, share);
        assert(given == 0 && bySlot[0] == 0 && bySlot[1] == 0);
    }

    /// For each pot of 16 bits: shares of one, three and twelve sixteenths.
    function check_threeSlotsGetTheirShares(uint16 pot) external pure {
        Krum.Verdict memory verdict = _verdict(3);
        (verdict.contributions[0], verdict.contributions[1], verdict.contributions[2]) = (1, 3, 12);
        verdict.total = 16;
        (uint96[] memory bySlot, uint256 given) = Shares.amounts(pot, verdict, 0);
        assert(given == uint256(bySlot[0]) + bySlot[1] + bySlot[2]);
        assert(given <= pot);
        assert(pot - given < 3); // less than there are slots
        assert(bySlot[0] <= bySlot[1] && bySlot[1] <= bySlot[2]);
    }

    function _verdict(uint256 slots) private pure returns (Krum.Verdict memory verdict) {
        verdict.contributions = new uint256[](slots);
        verdict.referenceContributions = new uint256[](slots);
    }
}
