// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Record} from "../../../contracts/interfaces/IReputationRegistry.sol";
import {BitMask} from "../../../contracts/libraries/BitMask.sol";
import {Reputation} from "../../../contracts/libraries/Reputation.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice Edges of pure functions that faults made by tools/mutate.py came through.
contract MutantsArithmeticTest is TestBase {
    function testFuzzCountIsThatOfTheBits(uint256 mask, uint256 from, uint256 length) external pure {
        _counts(mask);
        length = bound(length, 0, 255);
        _counts(((1 << length) - 1) << bound(from, 0, 255));
        _counts(0);
        _counts(type(uint256).max);
    }

    function testFuzzASetIsWithinASuperset(uint256 part, uint256 more, uint256 slot) external pure {
        slot = bound(slot, 0, 255);
        vm.assertTrue(BitMask.isWithin(part, part | more), "its union");
        vm.assertTrue(BitMask.isWithin(part | more, part) == (more & ~part == 0), "not what it lacks");
        vm.assertTrue(BitMask.has(part | (1 << slot), slot), "added");
        vm.assertTrue(!BitMask.has(part & ~(1 << slot), slot), "taken out");
    }

    /// @notice At their top the counts stay, and the rest of the record goes on; one below it, they still count.
    function testARecordsCountsStopAtTheirTop() external pure {
        Record memory record;
        (record.projects, record.faults) = (type(uint32).max - 1, type(uint32).max - 1);
        for (uint256 i = 1; i < 3; ++i) {
            record = Reputation.faulted(Reputation.grown(record, 4, 0), 0);
            vm.assertEq(record.projects, type(uint32).max, "projects");
            vm.assertEq(record.faults, type(uint32).max, "faults");
            vm.assertEq(record.contribution, 4 * i, "the rest goes on");
        }
    }

    function _counts(uint256 mask) private pure {
        uint256 bits;
        for (uint256 rest = mask; rest != 0; rest >>= 1) bits += rest & 1;
        vm.assertEq(BitMask.count(mask), bits, "bits");
    }
}
