// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, Project, Status} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {Rounds} from "../../../contracts/libraries/Rounds.sol";
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

    /// A trainer that the draw gave the seat beyond the last as well could have one update counted twice in a batch.
    function testSeatsInARowAreTheSameSeats() external {
        Seats seats = new Seats();
        for (uint256 size = 1; size < 20; ++size) {
            for (uint256 round = 1; round < 5; ++round) {
                for (uint256 drawn = 0; drawn < 2; ++drawn) {
                    uint256[] memory found = seats.inARow(size, round, drawn == 1, 3, 20);
                    for (uint256 i = 0; i < 20; ++i) {
                        vm.assertEq(found[i], seats.one(size, round, drawn == 1, 3 + i), "as one by one");
                        vm.assertTrue((found[i] == Rounds.NONE) == (3 + i >= size), "nobody's after the last");
                    }
                }
            }
        }
    }
}

/// @notice The seats of a project in the midst of a round.
contract Seats {
    Project private _project;

    function inARow(
        uint256 size,
        uint256 round,
        bool drawn,
        uint256 first,
        uint256 seats
    ) external returns (uint256[] memory) {
        _set(size, round, drawn);
        return Rounds.numbers(_project, first, seats);
    }

    function one(uint256 size, uint256 round, bool drawn, uint256 seat) external returns (uint256) {
        _set(size, round, drawn);
        return Rounds.number(_project, round, seat);
    }

    function _set(uint256 size, uint256 round, bool drawn) private {
        (_project.round, _project.drawn, _project.seed) = (uint16(round), drawn, keccak256("seed"));
        _project.drawnFrom = uint32(size);
    }
}
