// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, Project, Status, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice How a project starts: quorums, cohorts, and a draw that nobody can steer or hold up.
contract StartingTest is MarketFixture {
    function testStartNeedsAnAggregator() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < SLOTS; ++i) _join(project, trainers[i]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, SLOTS, SLOTS, 0));
        market.start(project);
        vm.warp(market.projectOf(project).joinDeadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, SLOTS, 5, 0));
        market.start(project);
    }

    /// Nobody closes the door before the deadline while there are places; after it a quorum is enough.
    function testStartWaitsForThePlacesOrTheDeadline() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < 5; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        uint256 deadline = market.projectOf(project).joinDeadline;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, 5, SLOTS, 1));
        market.start(project);
        vm.warp(deadline);
        market.start(project);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.round, 1, "round");
        vm.assertEq(p.cohorts, 1, "cohorts");
        vm.assertTrue(!p.drawn, "seats as joined");
        vm.assertEq(market.numberOf(project, 1, 4), 4, "seat");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 5, address(0)));
        market.numberOf(project, 1, 5);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.start(project);
    }

    function testTooFewAreNotStarted() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < 4; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        vm.warp(market.projectOf(project).joinDeadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, 4, 5, 1));
        market.start(project);
    }

    /// max(1, min(terms.cohorts, trainers / K)); drawn where there are more trainers than seats, or several cohorts.
    function testCohorts() external {
        _assertCohorts(1, 6, 1, false);
        _assertCohorts(1, 7, 1, true);
        _assertCohorts(3, 5, 1, false); // a quorum
        _assertCohorts(3, 11, 1, true);
        _assertCohorts(3, 12, 2, true);
        _assertCohorts(3, 18, 3, true);
        _assertCohorts(3, 25, 3, true);
    }

    // The draw

    function testTheSeedIsOfABlockThatIsNotMade() external {
        uint256 project = _drawing(13, 2);
        Project memory p = market.projectOf(project);
        _assertStatus(project, Status.Drawing);
        vm.assertEq(uint256(p.seed), block.number + 1, "the next block");
        vm.assertEq(p.round, 0, "no round yet");
        uint256 seedBlock = uint256(p.seed);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, seedBlock + 1, block.number));
            market.draw(project);
            vm.roll(seedBlock);
        }
        vm.roll(seedBlock + 1);
        vm.prank(stranger); // anyone
        market.draw(project);
        _assertStatus(project, Status.Active);
        p = market.projectOf(project);
        vm.assertEq(p.seed, keccak256(abi.encode(blockhash(seedBlock), project)), "seed");
        vm.assertEq(p.round, 1, "round");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.draw(project); // one draw only
    }

    /// While the block is awaited nobody can join, leave or cancel: whoever sees its hash cannot use it.
    function testNobodyMovesWhileDrawing() external {
        uint256 project = _drawing(13, 2);
        vm.roll(block.number + 2);
        bytes memory refused = abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Drawing);
        _deposit(address(0), stranger, 10 ether);
        vm.expectRevert(refused);
        vm.prank(stranger);
        market.join(project, KEY);
        vm.expectRevert(refused);
        vm.prank(stranger);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        vm.expectRevert(refused);
        vm.prank(trainers[0]);
        market.leave(project);
        vm.expectRevert(refused);
        vm.prank(aggregators[1]);
        market.leave(project);
        vm.expectRevert(refused);
        vm.prank(owner);
        market.cancel(project);
        vm.expectRevert(refused);
        market.start(project);
    }

    /// A hash that is out of reach cannot hold a project: the draw is scheduled anew.
    function testALateDrawIsScheduledAnew() external {
        uint256 project = _drawing(13, 2);
        uint256 seedBlock = uint256(market.projectOf(project).seed);
        vm.roll(seedBlock + 257);
        market.draw(project);
        _assertStatus(project, Status.Drawing);
        vm.assertEq(uint256(market.projectOf(project).seed), block.number + 1, "a block that is not made");
        vm.roll(block.number + 2);
        market.draw(project);
        _assertStatus(project, Status.Active);
    }

    /// Each number has at most one seat of a round, each seat exactly one number, and rounds differ.
    function testSeatsAreDrawn(uint256 seedBlock) external {
        vm.roll(bound(seedBlock, 1, 1 << 32));
        uint256 project = _drawing(15, 2);
        vm.roll(block.number + 2);
        market.draw(project);
        uint256 differing = 0;
        for (uint256 round = 1; round <= 3; ++round) {
            uint256 seen = 0;
            for (uint256 seat = 0; seat < 12; ++seat) {
                uint256 number = market.numberOf(project, round, seat);
                vm.assertTrue(number < 15, "a trainer's");
                vm.assertEq((seen >> number) & 1, 0, "once");
                seen |= 1 << number;
                if (number != market.numberOf(project, 1, seat)) ++differing;
            }
        }
        vm.assertTrue(differing != 0, "rounds differ");
    }

    /// Where seats are drawn: with a submission a trainer stays, and without a seat it may go.
    function testLeavingWhereSeatsAreDrawn() external {
        uint256 project = _drawing(15, 2);
        vm.roll(block.number + 2);
        market.draw(project);
        _submit(project, 7);
        address submitted = _holder(project, 7);
        for (uint256 seat = 0; seat < 13; seat += 6) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 1));
            vm.prank(submitted);
            market.leave(project);
        }
        uint256 left = 0;
        for (uint256 i = 0; i < 15; ++i) {
            if (trainers[i] == submitted) continue;
            vm.prank(trainers[i]);
            market.leave(project); // another's seat is no obstacle
            vm.assertEq(vault.freeOf(address(0), trainers[i]), STAKE, "stake is free");
            ++left;
        }
        vm.assertEq(left, 14, "all others");
        vm.assertEq(market.projectOf(project).trainerCount, 1, "one is left");
        vm.assertEq(market.projectOf(project).drawnFrom, 15, "the draw does not change");
    }

    // Helpers

    function _crowd(uint256 count, uint8 cohorts) private returns (uint256 project) {
        for (uint256 i = trainers.length; i < count; ++i) trainers.push(_trainerParty(i));
        Terms memory t = _terms(address(0));
        t.trainers = 30;
        t.cohorts = cohorts;
        project = _create(t);
        for (uint256 i = 0; i < count; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        _joinAsAggregator(project, aggregators[1]);
        vm.warp(market.projectOf(project).joinDeadline);
    }

    function _drawing(uint256 count, uint8 cohorts) private returns (uint256 project) {
        project = _crowd(count, cohorts);
        market.start(project);
    }

    function _assertCohorts(uint8 most, uint256 count, uint256 cohorts, bool drawn) private {
        uint256 project = _drawing(count, most);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.cohorts, cohorts, "cohorts");
        vm.assertTrue(p.drawn == drawn, "drawn");
        vm.assertEq(p.drawnFrom, count, "from");
        _assertStatus(project, drawn ? Status.Drawing : Status.Active);
    }
}
