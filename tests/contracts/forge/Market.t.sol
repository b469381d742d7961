// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {RoundJudge} from "../../../contracts/RoundJudge.sol";
import {TrainingMarket} from "../../../contracts/TrainingMarket.sol";
import {Arrivals, ChallengeKind, ITrainingMarket, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice The market's construction, its door for money, and keys sealed anew for another aggregator.
contract MarketTest is MarketFixture {
    bytes private constant SEALED = new bytes(80);

    function testAMarketNeedsItsPartsAndADelayInRange() external {
        RoundJudge judge = new RoundJudge();
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NoCode.selector, stranger));
        new TrainingMarket(stranger, address(judge), 1 days);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NoCode.selector, stranger));
        new TrainingMarket(address(gramVerifier), stranger, 1 days);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidUnbondingDelay.selector, 0));
        new TrainingMarket(address(gramVerifier), address(judge), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidUnbondingDelay.selector, 30 days + 1));
        new TrainingMarket(address(gramVerifier), address(judge), 30 days + 1);
        TrainingMarket longest = new TrainingMarket(address(gramVerifier), address(judge), 30 days);
        vm.assertEq(longest.judge(), address(judge), "judge");
        vm.assertEq(longest.gramVerifier(), address(gramVerifier), "verifier");
    }

    function testNobodySendsMoneyBesideTheCalls() external {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        (bool done, bytes memory why) = address(market).call{value: 1}("");
        vm.assertTrue(!done, "refused");
        vm.assertEq(
            keccak256(why),
            keccak256(abi.encodeWithSelector(ITrainingMarket.UnexpectedPayment.selector, stranger, 1)),
            "by name"
        );
    }

    function testKeysAreSealedAnewByMembersAfterTheDeadline() external {
        uint256 project = _active(address(0));
        uint256 deadline = market.projectOf(project).submitDeadline;
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        market.reseal(project, 1, SEALED);
        _close(project);
        vm.prank(trainers[0]);
        market.reseal(project, 1, SEALED);
        vm.prank(owner);
        market.reseal(project, 1, SEALED);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, stranger));
        market.reseal(project, 1, SEALED);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, aggregators[0]));
        market.reseal(project, 1, SEALED);
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 79, 80));
        market.reseal(project, 1, new bytes(79));
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        market.reseal(project, 2, SEALED);
    }

    function testThereIsNoCohortBeyondTheLast() external {
        uint256 project = _active(address(0));
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongCohort.selector, 1, 1));
        market.skip(project, 1, 1);
    }

    function testNothingIsChallengedOrComplainedAboutAtFirst() external {
        uint256 project = _active(address(0));
        vm.assertEq(uint256(market.challengeOf(project).kind), uint256(ChallengeKind.None), "challenge");
        vm.assertEq(market.complaintOf(project, 1, 0, 0), 0, "complaint");
    }

    function testAComplaintIsFoundByItsPlace() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        _close(project);
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.prank(aggregators[0]);
        market.complain(project, 1, 0, 1 << 2, arrivals);
        vm.assertEq(market.complaintOf(project, 1, 0, 2), _digest(_commitment(2), trainers[2]), "its digest");
        vm.assertEq(market.complaintOf(project, 1, 2, 0), 0, "and no other place");
        vm.assertEq(market.complaintOf(project, 0, 1, 2), 0, "nor this one");
    }

    /// A deposit is paid as far as there is stake; from whom has none, nothing fails.
    function testWhoHasLessThanTheDepositPaysWhatThereIs() external {
        uint96[2] memory stakes = [uint96(0), DEPOSIT / 2];
        for (uint256 i = 0; i < stakes.length; ++i) {
            Terms memory t = _terms(address(0));
            t.trainerStake = stakes[i];
            uint256 project = _activeWith(t);
            uint256 before = vault.freeOf(address(0), aggregators[0]);
            _submitFirst(project, SLOTS);
            _close(project);
            Arrivals memory arrivals = _arrivals(project, 0);
            vm.prank(aggregators[0]);
            market.complain(project, 1, 0, 1 << 2, arrivals);
            vm.warp(market.projectOf(project).answerDeadline);
            _post(project, 0, _honestGram());
            vm.assertEq(vault.freeOf(address(0), aggregators[0]) - before, stakes[i], "all that it had");
            vm.assertEq(uint256(market.membershipOf(project, trainers[2]).locked), 0, "nothing left");
            _assertConserved(address(0));
        }
    }
}
