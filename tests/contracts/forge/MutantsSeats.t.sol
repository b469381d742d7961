// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, Status} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice A cohort with fewer trainers than slots: the last seat is nobody's, and is paid nothing.
contract MutantsSeatsTest is MarketFixture {
    function testASeatThatNobodyHasEarnsNothing() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < SLOTS - 1; ++i) _join(project, trainers[i]);
        for (uint256 i = 0; i < aggregators.length; ++i) _joinAsAggregator(project, aggregators[i]);
        vm.warp(block.timestamp + 1 hours);
        market.start(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, SLOTS - 1, address(0)));
        market.numberOf(project, 1, SLOTS - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, SLOTS - 1, stranger));
        vm.prank(stranger);
        market.submit(project, 1, SLOTS - 1, keccak256("d"), 0);
        while (market.projectOf(project).status == Status.Active) {
            _submitFirst(project, SLOTS - 1);
            _close(project);
            _post(project, 0, _honestGram());
            _assertConserved(address(0));
        }
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
        uint256 earned;
        for (uint256 i = 0; i < SLOTS - 1; ++i) earned += market.trainerOf(project, i).earned;
        vm.assertTrue(earned != 0, "who is there is paid");
        vm.assertEq(market.trainerOf(project, SLOTS - 1).earned, 0, "nobody is not");
        _assertConserved(address(0));
    }
}
