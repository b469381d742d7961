// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ChallengeKind,
    Outcome,
    Project,
    RoundResult,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

contract AttacksTest is MarketFixture {
    /// The last round is skipped, which opens a window for the reveal: the round before it, final and paid out, must not
    /// be challenged in it, else what was paid is put back into escrow from other projects' money.
    function testAPaidRoundCannotBeUndoneInTheRevealsWindow() external {
        Terms memory t = _referenceTerms(address(0));
        t.rounds = 2;
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        Project memory before = market.projectOf(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        _postResult(project, result);
        Outcome[] memory outcomes = _outcome(before, result, 0, FEE, _earned(project));
        vm.warp(market.projectOf(project).challengeDeadline);
        for (uint256 i = 0; i < SLOTS; ++i) {
            if (market.claimable(project, trainers[i]) != 0) market.claim(project, trainers[i]);
        }
        vm.warp(market.projectOf(project).submitDeadline);
        market.skip(project, 2, 0);
        _assertStatus(project, Status.Closing);
        uint256 other = _create(_terms(address(0))); // somebody else's escrow
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        (bool ok, ) = address(market).call(
            abi.encodeCall(market.challenge, (project, ChallengeKind.Model, 0, new Outcome[](0)))
        );
        if (ok) {
            vm.warp(market.challengeOf(project).deadline);
            market.undo(project, outcomes);
            vm.warp(market.projectOf(project).submitDeadline);
            market.skip(project, 3, 0);
            vm.warp(market.projectOf(project).challengeDeadline);
            market.settle(project);
            market.claim(project, owner);
        }
        vm.assertGe(address(market).balance, market.projectOf(other).escrow, "the other project's escrow is whole");
        vm.assertTrue(!ok, "what was paid out is final");
    }
}
