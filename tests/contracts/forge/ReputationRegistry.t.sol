// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReputationRegistry} from "../../../contracts/ReputationRegistry.sol";
import {IReputationRegistry, Record} from "../../../contracts/interfaces/IReputationRegistry.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice The registry alone; this test plays the market.
contract ReputationRegistryTest is TestBase {
    ReputationRegistry private _registry = new ReputationRegistry();

    function testRecordsAddUp() external {
        address[] memory trainers = new address[](2);
        uint256[] memory shares = new uint256[](2);
        (trainers[0], trainers[1]) = (party("a"), party("b"));
        (shares[0], shares[1]) = (700_000, 300_000);
        _registry.recordTrainers(1, 1, trainers, shares, 1, 2);
        _registry.recordTrainers(1, 2, trainers, shares, 3, 0);
        Record memory b = _registry.trainerRecord(trainers[1]);
        vm.assertEq(b.rounds, 2, "rounds");
        vm.assertEq(b.merged, 1, "merged");
        vm.assertEq(b.faults, 1, "faults");
        vm.assertEq(b.contribution, 600_000, "contribution");
        _registry.recordAggregator(1, 1, trainers[0], false);
        _registry.recordAggregator(1, 2, trainers[0], true);
        vm.assertEq(_registry.aggregatorRecord(trainers[0]).rounds, 1, "results");
        vm.assertEq(_registry.aggregatorRecord(trainers[0]).faults, 1, "time-outs");
    }

    function testOnlyTheMarketWrites() external {
        address stranger = party("stranger");
        bytes memory refused = abi.encodeWithSelector(IReputationRegistry.NotMarket.selector, stranger);
        vm.prank(stranger);
        vm.expectRevert(refused);
        _registry.recordTrainers(1, 1, new address[](0), new uint256[](0), 0, 0);
        vm.prank(stranger);
        vm.expectRevert(refused);
        _registry.recordAggregator(1, 1, stranger, false);
    }
}
