// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ChallengeKind,
    ITrainingMarket,
    Outcome,
    Settlement,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice What a refused challenge says: faults made by tools/mutate.py came through here.
contract MutantsChallengesTest is MarketFixture {
    function testWhoNamesNoOutcomesIsToldTheTrueOnes() external {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        uint256 project = _activeWith(t);
        _playRound(project);
        bytes32 outcome = market.projectOf(project).outcome;
        vm.assertTrue(outcome != 0, "there is one");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongOutcomes.selector, bytes32(0), outcome));
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Proof, 0, new Outcome[](0));
    }
}
