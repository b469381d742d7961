// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ChallengeKind, ITrainingMarket, Opening, Outcome} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice The time that a challenge takes is nobody's loss: the window for others is longer by it.
contract ChallengeTimeTest is MarketFixture {
    uint256 private constant TAKEN = 100;

    function testAnAnswerGivesOthersTheTimeThatItTook() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        _close(project);
        uint256 merged = _postHonest(project);
        _submitFirst(project, SLOTS); // round 2 closes as soon as round 1 cannot be challenged any more
        uint256 closes = market.projectOf(project).challengeDeadline;
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), closes, "closed early");
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Model, 0, new Outcome[](0));
        vm.warp(block.timestamp + TAKEN);
        market.answerModel(project, _opening(merged));
        vm.assertEq(uint256(market.projectOf(project).challengeDeadline), closes + TAKEN, "longer by it");
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), closes + TAKEN, "and no result before");
    }

    function testAnAnswerIsTooLateAtItsDeadline() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        _close(project);
        Opening memory opening = _opening(_postHonest(project));
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Model, 0, new Outcome[](0));
        uint256 deadline = market.challengeOf(project).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.answerModel(project, opening);
        vm.warp(deadline - 1);
        market.answerModel(project, opening);
    }

    function testNothingIsAnsweredThatNobodyAsked() external {
        uint256 project = _active(address(0));
        Opening memory opening = _opening(0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Model)));
        market.answerModel(project, opening);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Proof)));
        market.answerProof(project, new uint256[](0), "");
    }

    function _postHonest(uint256 project) private returns (uint256 merged) {
        merged = _result(project, 0, _honestGram()).merged;
        _post(project, 0, _honestGram());
    }

    /// The initial model and the merged updates.
    function _opening(uint256 merged) private view returns (Opening memory) {
        int256[] memory w = toy.vector(99);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            if ((merged >> slot) & 1 == 0) continue;
            int256[] memory q = toy.vector(slot);
            for (uint256 j = 0; j < w.length; ++j) w[j] += q[j];
        }
        return toy.open(circuit, w, 4);
    }
}
