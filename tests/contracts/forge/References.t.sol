// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, RoundResult} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice The owner's committed validation update: who submits it, when, how often, and that the result opens it.
contract ReferencesTest is MarketFixture {
    bytes32 private constant DIGEST = keccak256("a digest");
    bytes32 private constant BLOB = keccak256("a blob");

    function testOnlyTheOwnerSubmitsItAndOnlyWhereItCounts() external {
        uint256 plain = _active(address(0));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOwner.selector, plain, owner));
        market.submitReference(plain, 1, DIGEST, BLOB);
        uint256 project = _activeWith(_referenceTerms(address(0)));
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOwner.selector, project, trainers[0]));
        market.submitReference(project, 1, DIGEST, BLOB);
    }

    function testItIsSubmittedOnceInTimeAndForTheRoundUnderWay() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        vm.startPrank(owner);
        vm.expectRevert(ITrainingMarket.InvalidDigest.selector);
        market.submitReference(project, 1, 0, BLOB);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        market.submitReference(project, 2, DIGEST, BLOB);
        market.submitReference(project, 1, DIGEST, BLOB);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, SLOTS));
        market.submitReference(project, 1, keccak256("another"), BLOB);
        vm.stopPrank();
        vm.assertEq(market.projectOf(project).referenceDigest, DIGEST, "the first");
    }

    function testItIsTooLateAtTheDeadline() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        uint256 deadline = market.projectOf(project).submitDeadline;
        vm.warp(deadline);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.submitReference(project, 1, DIGEST, BLOB);
    }

    function testAResultMustHoldTheReferenceThatWasCommitted() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        bytes32 another = _digest(_commitment(SLOTS + 1), owner); // than the proof's
        vm.prank(owner);
        market.submitReference(project, 1, another, BLOB);
        _close(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, SLOTS));
        market.postResult(project, result);
    }

    function testARoundWaitsForItsReference() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        uint256 deadline = market.projectOf(project).submitDeadline;
        _submitFirst(project, SLOTS);
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), deadline, "the owner is awaited");
        _submitReference(project);
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), block.timestamp, "now all are there");
    }
}
