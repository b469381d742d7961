// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, ScoreRule, Settlement, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice Each term at its edges: the last value that is taken, the first that is refused, and the name it is refused by.
contract TermsCheckTest is MarketFixture {
    function testShape() external {
        Terms memory t = _terms(address(0));
        t.spec = 0;
        _refused(t, "spec", 0);
        t = _terms(address(0));
        t.slots = 17;
        _refused(t, "slots", 17);
        t = _terms(address(0));
        t.faults = 2; // 6 < 2 * 2 + 3
        _refused(t, "faults", 2);
        t = _terms(address(0));
        t.initialModel = G1(1, 1);
        _refused(t, "initialModel", 1);
        t = _terms(address(0));
        t.circuit = keccak256("unknown");
        _refused(t, "circuit", uint256(t.circuit));
        t.circuit = circuitWithReference;
        _refused(t, "circuit slots", SLOTS + 1);
        t = _referenceTerms(address(0));
        t.circuit = circuit; // no input for the reference
        _refused(t, "circuit slots", SLOTS);
    }

    function testPlaces() external {
        Terms memory t = _terms(address(0));
        t.cohorts = 0;
        _refused(t, "cohorts", 0);
        t.cohorts = 16; // `Challenge.answered` has no bit for it
        _refused(t, "cohorts", 16);
        t.cohorts = 15;
        t.aggregatorFee = 0;
        _taken(t);
        t = _terms(address(0));
        t.trainers = uint32(SLOTS - 1);
        _refused(t, "trainers", SLOTS - 1);
        t.trainers = (1 << 24) + 1;
        _refused(t, "trainers", (1 << 24) + 1);
        t.trainers = 1 << 24;
        _taken(t);
        t = _terms(address(0));
        t.rounds = 0;
        _refused(t, "rounds", 0);
        t.rounds = 65_001;
        _refused(t, "rounds", 65_001);
        t.rounds = 65_000;
        t.aggregatorFee = 0;
        _taken(t);
    }

    function testWindows() external {
        uint32 longest = uint32(DELAY);
        Terms memory t = _terms(address(0));
        t.joinWindow = 0;
        _refused(t, "joinWindow", 0);
        t.joinWindow = longest + 1; // stake could leave the vault before the window ends
        _refused(t, "joinWindow", longest + 1);
        t = _terms(address(0));
        t.submitWindow = longest + 1;
        _refused(t, "submitWindow", longest + 1);
        t = _terms(address(0));
        t.answerWindow = 0;
        _refused(t, "answerWindow", 0);
        t.answerWindow = longest + 1;
        _refused(t, "answerWindow", longest + 1);
        t = _terms(address(0));
        t.resultWindow = 0;
        _refused(t, "resultWindow", 0);
        t = _terms(address(0));
        t.challengeWindow = 0;
        _refused(t, "challengeWindow", 0);
        t.challengeWindow = t.submitWindow + 1; // two rounds could be undone at once
        _refused(t, "challengeWindow", t.submitWindow + 1);
        t = _terms(address(0));
        t.batchWindow = t.submitWindow; // no time left for those whom the batch leaves out
        _refused(t, "batchWindow", t.submitWindow);
        t.batchWindow = t.submitWindow - 1;
        t.challengeWindow = t.submitWindow;
        t.joinWindow = longest;
        t.answerWindow = longest;
        t.resultWindow = longest;
        _taken(t);
    }

    function testRules() external {
        Terms memory t = _terms(address(0));
        t.maxNormSquared = 0;
        _refused(t, "maxNormSquared", 0);
        t.maxNormSquared = 1 << 63;
        _refused(t, "maxNormSquared", 1 << 63);
        t = _terms(address(0));
        t.strikeFactor = 99; // more than half of all honest trainers would be struck
        _refused(t, "strikeFactor", 99);
        t = _terms(address(0));
        t.strikeSlash = 10_001;
        _refused(t, "strikeSlash", 10_001);
        t = _terms(address(0));
        t.duplicateCosine = 10_001;
        _refused(t, "duplicateCosine", 10_001);
        t = _terms(address(0));
        t.maxNormSquared = (1 << 63) - 1;
        t.strikeFactor = 100;
        t.strikeSlash = 10_000;
        t.duplicateCosine = 10_000;
        _taken(t);
        t.strikeFactor = 0;
        t.duplicateCosine = 0;
        t.settlement = Settlement.OnDemand;
        _taken(t);
    }

    function testReference() external {
        Terms memory t = _referenceTerms(address(0));
        t.fallbackRule = ScoreRule.Reference; // it would fall back on itself
        _refused(t, "fallbackRule", 2);
        t = _referenceTerms(address(0));
        t.referenceShare = 0;
        _refused(t, "referenceShare", 0);
        t.referenceShare = 10_001;
        _refused(t, "referenceShare", 10_001);
        t = _referenceTerms(address(0));
        t.validation = 0; // a bond that nothing can free
        _refused(t, "validation", 0);
        t.revealBond = 0;
        _taken(t);
        t = _referenceTerms(address(0));
        t.referenceShare = 10_000;
        t.fallbackRule = ScoreRule.Cosine;
        _taken(t);
    }

    /// Terms that the rule does not look at would promise something that does not hold.
    function testNothingOfTheReferenceWithoutIt() external {
        Terms memory t = _terms(address(0));
        t.fallbackRule = ScoreRule.Cosine;
        _refused(t, "fallbackRule", 1);
        t.scoreRule = ScoreRule.Cosine;
        _taken(t);
        t.fallbackRule = ScoreRule.Reference;
        _refused(t, "fallbackRule", 2);
        t = _terms(address(0));
        t.referenceShare = 1;
        _refused(t, "referenceShare", 1);
        t = _terms(address(0));
        t.revealBond = 1;
        _refused(t, "revealBond", 1);
        t = _terms(address(0));
        t.validation = bytes32(uint256(5));
        _refused(t, "validation", 5);
    }

    function testAmounts() external {
        Terms memory t = _terms(address(0));
        t.aggregatorFee = REWARD / 3; // nothing left for the trainers
        _refused(t, "aggregatorFee", t.aggregatorFee);
        t.aggregatorFee -= 1;
        _taken(t);
        t.cohorts = 2; // a fee for each cohort
        _refused(t, "aggregatorFee", t.aggregatorFee);
        t = _terms(address(0));
        t.reward = 0;
        t.aggregatorFee = 0;
        _refused(t, "aggregatorFee", 0);
        t = _terms(address(0));
        t.complaintDeposit = BOND / uint96(2 * SLOTS) + 1; // an aggregator could not complain about a whole cohort
        _refused(t, "complaintDeposit", t.complaintDeposit);
        t.complaintDeposit -= 1;
        _taken(t);
    }

    /// Overflow at extreme amounts: what may come together in a project is below 2^96, to the unit.
    function testTotalAmount() external {
        Terms memory t = _referenceTerms(address(0));
        uint256 most = uint256(REWARD) + REVEAL_BOND + SLOTS * uint256(STAKE);
        most += 8 * (BOND + (SLOTS + 1) * uint256(DEPOSIT));
        uint96 room = uint96(type(uint96).max - most);
        t.reward += room + 1;
        _refused(t, "total amount", uint256(type(uint96).max) + 1);
        t.reward -= 1;
        _taken(t);
        t = _terms(address(0));
        t.trainers = 1 << 24;
        t.trainerStake = 1 << 72;
        _refused(t, "total amount", uint256(REWARD) + 8 * (BOND + SLOTS * uint256(DEPOSIT)) + (1 << 96));
        t = _terms(address(0));
        t.aggregatorBond = type(uint96).max;
        _refused(
            t,
            "total amount",
            uint256(REWARD) + 8 * (type(uint96).max + SLOTS * uint256(DEPOSIT)) + SLOTS * uint256(STAKE)
        );
    }

    function _refused(Terms memory t, bytes32 term, uint256 value) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidTerms.selector, term, value));
        this.create(t);
    }

    function _taken(Terms memory t) private {
        uint256 before = market.projectCount();
        vm.assertEq(this.create(t), before + 1, "the next number");
    }

    /// @dev External, so that the next call is the one that is to revert.
    function create(Terms memory t) external returns (uint256) {
        return _create(t);
    }
}
