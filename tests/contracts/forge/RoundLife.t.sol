// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    Arrivals,
    ITrainingMarket,
    Project,
    RoundResult,
    ScoreRule,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice Submissions, results, skips, time-outs: a round from its opening to the next.
contract RoundLifeTest is MarketFixture {
    function testAProjectFromEndToEnd() public {
        uint256 project = _active(address(0));
        for (uint256 round = 1; round <= 3; ++round) {
            vm.assertEq(uint256(market.projectOf(project).round), round, "round");
            _playRound(project);
            _assertConserved(address(0));
        }
        _assertStatus(project, Status.Closing);
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
        _assertStatus(project, Status.Settled);
        _assertConserved(address(0));
        uint256 paid = 0;
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 due = market.claimable(project, trainers[i]);
            if (due != 0) paid += market.claim(project, trainers[i]);
            vm.prank(trainers[i]);
            market.release(project);
        }
        vm.assertEq(market.claim(project, aggregators[0]), 3 * uint256(FEE), "fees");
        uint256 refund = market.claim(project, owner);
        vm.assertEq(paid + refund + 3 * uint256(FEE), REWARD, "every wei of the reward");
        vm.assertLe(refund, 3 * SLOTS, "dust only");
        _assertConserved(address(0));
    }

    function testOnlyTheSeatsTrainerSubmits() public {
        uint256 project = _active(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 1, trainers[0]));
        vm.prank(trainers[0]);
        market.submit(project, 1, 1, keccak256("d"), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 0, stranger));
        vm.prank(stranger);
        market.submit(project, 1, 0, keccak256("d"), 0);
        vm.expectRevert(ITrainingMarket.InvalidDigest.selector);
        vm.prank(trainers[0]);
        market.submit(project, 1, 0, 0, 0);
        for (uint256 cohort = 1; cohort < 3; ++cohort) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongCohort.selector, cohort, 1));
            vm.prank(trainers[0]);
            market.submit(project, 1, cohort * SLOTS, keccak256("d"), 0);
        }
    }

    function testOncePerRoundAndOnlyInTime() public {
        uint256 project = _active(address(0));
        _submit(project, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 0));
        vm.prank(trainers[0]);
        market.submit(project, 1, 0, keccak256("another"), 0);
        uint256 deadline = market.projectOf(project).submitDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        vm.prank(trainers[1]);
        market.submit(project, 1, 1, keccak256("late"), 0);
    }

    function testTheLastAwaitedSubmissionClosesTheWindow() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS - 1);
        vm.assertTrue(market.projectOf(project).submitDeadline > block.timestamp, "open");
        _submit(project, SLOTS - 1);
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), block.timestamp, "closed");
    }

    function testALaterRoundNeverClosesBeforeTheChallengesOfTheOneBefore() public {
        uint256 project = _active(address(0));
        _playRound(project);
        Project memory p = market.projectOf(project);
        vm.assertEq(uint256(p.challengeDeadline), block.timestamp + 5 minutes, "window");
        _submitFirst(project, SLOTS);
        vm.assertEq(
            uint256(market.projectOf(project).submitDeadline),
            uint256(p.challengeDeadline),
            "waits for challenges"
        );
    }

    function testACopiedDigestIsOfNoUse() public {
        uint256 project = _active(address(0));
        bytes32 stolen = _digest(_commitment(0), trainers[0]);
        _submitAs(project, 1, stolen); // sees it in the mempool and is faster
        _submit(project, 0);
        for (uint256 i = 2; i < SLOTS; ++i) _submit(project, i);
        _close(project);
        RoundResult memory result = _result(project, 0, _honestGram());
        // Even with the aggregator on its side, who puts the victim's commitment into the copier's slot:
        bytes memory proof = result.proof;
        for (uint256 b = 0; b < 64; ++b) proof[64 + b] = proof[b];
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, 1));
        market.postResult(project, result);
    }

    function testArrivalsMustBeTheRounds() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        RoundResult memory result = _result(project, 0, _honestGram());
        Arrivals memory honest = result.arrivals;
        bytes memory order = honest.order;
        (order[0], order[1]) = (order[1], order[0]);
        (honest.digests[0], honest.digests[1]) = (honest.digests[1], honest.digests[0]);
        vm.expectRevert();
        vm.prank(aggregators[0]);
        market.postResult(project, result);
        result.arrivals.order = hex"";
        result.arrivals.digests = new bytes32[](0);
        vm.expectRevert();
        vm.prank(aggregators[0]);
        market.postResult(project, result);
    }

    function testOnlyTheCurrentAggregatorInItsTime() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS - 1);
        RoundResult memory result = _result(project, 0, _honestGram());
        vm.prank(aggregators[0]);
        vm.expectRevert();
        market.postResult(project, result); // too early
        _close(project);
        vm.prank(aggregators[1]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotCurrentAggregator.selector, aggregators[1], aggregators[0])
        );
        market.postResult(project, result);
        uint256 deadline = market.projectOf(project).resultDeadline;
        vm.warp(deadline);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.postResult(project, result);
    }

    function testAResultCountsOnce() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        RoundResult memory result = _result(project, 0, _honestGram());
        _postResult(project, result);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 1, 2));
        market.postResult(project, result);
    }

    function testNothingIsPaidOutWhileTheRoundCanBeUndone() public {
        uint256 project = _active(address(0));
        _playRound(project);
        uint256 deadline = market.projectOf(project).challengeDeadline;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        market.claim(project, trainers[0]);
        vm.warp(deadline);
        vm.assertGe(market.claim(project, trainers[0]), 1, "paid");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, project, trainers[0]));
        market.claim(project, trainers[0]);
    }

    function testSkipNeedsAMissingQuorum() public {
        uint256 project = _active(address(0));
        _submitFirst(project, 4);
        vm.expectRevert();
        market.skip(project, 1, 0); // too early
        _close(project);
        market.skip(project, 1, 0);
        vm.assertEq(uint256(market.projectOf(project).round), 2, "next round");
        _submitFirst(project, 5);
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumReached.selector, 5, 5));
        market.skip(project, 2, 0);
        _assertConserved(address(0));
    }

    function testATimeOutGivesTheBondToTheRound() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        Project memory p = market.projectOf(project);
        vm.assertEq(uint256(p.pot), BOND, "pot");
        vm.assertEq(uint256(p.aggregatorIndex), 1, "next");
        _assertConserved(address(0));
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(market.projectOf(project).pot), 0, "paid");
        vm.assertEq(
            uint256(market.projectOf(project).escrow) + FEE + _sum(_earned(project)),
            uint256(REWARD) + BOND,
            "reward and bond"
        );
        _assertConserved(address(0));
    }

    function testNobodyIsSlashedForARoundThatAnyoneCanSkip() public {
        uint256 project = _active(address(0));
        _submitFirst(project, 4);
        vm.warp(uint256(market.projectOf(project).resultDeadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumMissed.selector, 0, 5));
        market.timeout(project, 1);
    }

    function testWithoutAggregatorsTheProjectHalts() public {
        uint256 project = _active(address(0));
        _playRound(project);
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 2);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 2);
        _assertStatus(project, Status.Halted);
        _assertConserved(address(0));
        market.claim(project, trainers[0]);
        market.claim(project, owner);
        _assertConserved(address(0));
    }

    function testTheStruckLoseStakeToTheRoundsPot() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        _close(project);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 5, 5, 1 << 20);
        _post(project, 0, gram);
        vm.assertEq(uint256(market.membershipOf(project, trainers[5]).locked), STAKE / 2, "half of the stake");
        vm.assertEq(uint256(_earned(project)[5]), 0, "paid nothing");
        vm.assertEq(uint256(registry.trainerRecord(trainers[5]).faults), 1, "on record");
        _assertConserved(address(0));
    }

    function _sum(uint96[] memory values) private pure returns (uint256 total) {
        for (uint256 i = 0; i < values.length; ++i) total += values[i];
    }
}
