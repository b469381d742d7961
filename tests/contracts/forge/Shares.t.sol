// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Krum} from "../../../contracts/libraries/Krum.sol";
import {Shares} from "../../../contracts/libraries/Shares.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice Every slot gets its part of each of the two pots, and together never more than there is.
contract SharesTest is TestBase {
    function testTwoPots() external pure {
        Krum.Verdict memory verdict = _verdict(3);
        (verdict.contributions[0], verdict.contributions[1], verdict.total) = (1, 3, 4);
        (verdict.referenceContributions[1], verdict.referenceContributions[2], verdict.referenceTotal) = (1, 1, 2);
        verdict.byReference = true;
        (uint96[] memory amounts, uint256 given) = Shares.amounts(1000, verdict, 4000);
        vm.assertEq(amounts[0], 150, "a quarter of 600");
        vm.assertEq(amounts[1], 450 + 200, "three quarters of 600 and half of 400");
        vm.assertEq(amounts[2], 200, "half of 400");
        vm.assertEq(given, 1000, "all");
    }

    function testWithoutAReferenceAllGoesByTheRule() external pure {
        Krum.Verdict memory verdict = _verdict(2);
        (verdict.contributions[0], verdict.contributions[1], verdict.total) = (1, 1, 2);
        (uint96[] memory amounts, uint256 given) = Shares.amounts(1001, verdict, 10_000);
        vm.assertEq(amounts[0], 500, "half");
        vm.assertEq(given, 1000, "dust is not given");
    }

    function testAPotWithNobodyToGoToIsNotGiven() external pure {
        Krum.Verdict memory verdict = _verdict(2);
        (verdict.contributions[0], verdict.total, verdict.byReference) = (5, 5, true);
        (uint96[] memory amounts, uint256 given) = Shares.amounts(1000, verdict, 4000);
        vm.assertEq(amounts[0], 600, "nobody moved along the reference");
        vm.assertEq(given, 600, "its pot stays");
        verdict = _verdict(2);
        (, given) = Shares.amounts(1000, verdict, 4000);
        vm.assertEq(given, 0, "nobody contributed");
    }

    /// The largest pot and contributions that can be, and any share: no overflow, and no slot more than its parts.
    function testFuzzAmounts(uint256 seed) external pure {
        Krum.Verdict memory verdict = _verdict(1 + (random(seed, 0, 0) % 16));
        verdict.byReference = random(seed, 1, 0) % 4 != 0;
        uint256 slots = verdict.contributions.length;
        for (uint256 i = 0; i < slots; ++i) {
            verdict.contributions[i] = random(seed, 2, i) >> (157 + (random(seed, 3, i) % 99)); // below 2^99
            verdict.total += verdict.contributions[i];
            verdict.referenceContributions[i] = random(seed, 4, i) >> (193 + (random(seed, 5, i) % 63)); // below 2^63
            verdict.referenceTotal += verdict.referenceContributions[i];
        }
        uint256 pot = random(seed, 6, 0) >> (160 + (random(seed, 7, 0) % 96)); // a uint96
        uint256 share = random(seed, 8, 0) % 10_001;
        (uint96[] memory amounts, uint256 given) = Shares.amounts(pot, verdict, share);

        uint256 along = verdict.byReference ? (pot * share) / 10_000 : 0;
        uint256 sum = 0;
        for (uint256 i = 0; i < slots; ++i) {
            uint256 amount = _part(pot - along, verdict.contributions[i], verdict.total);
            amount += _part(along, verdict.referenceContributions[i], verdict.referenceTotal);
            vm.assertEq(amounts[i], amount, "its parts");
            sum += amount;
        }
        vm.assertEq(given, sum, "the sum");
        vm.assertLe(given, pot, "never more than the pot");
        if (verdict.total != 0 && verdict.referenceTotal != 0) vm.assertLe(pot - given, 2 * slots, "only dust is left");
    }

    function _part(uint256 pot, uint256 contribution, uint256 total) private pure returns (uint256) {
        return total == 0 ? 0 : (pot * contribution) / total;
    }

    function _verdict(uint256 slots) private pure returns (Krum.Verdict memory verdict) {
        verdict.scores = new uint256[](slots);
        verdict.contributions = new uint256[](slots);
        verdict.referenceContributions = new uint256[](slots);
    }
}
