// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit, IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {ITrainingMarket, ScoreRule, Terms} from "../interfaces/ITrainingMarket.sol";
import {BN254, G1} from "./BN254.sol";

/// @title What terms a project may have
library TermsCheck {
    uint256 internal constant MAX_SLOTS = 16;
    uint256 internal constant MAX_AGGREGATORS = 8;
    uint256 private constant MAX_COHORTS = 15; // a bit each in `Challenge.answered`, which has 16
    uint256 private constant MAX_TRAINERS = 1 << 24;
    uint256 private constant MAX_ROUNDS = 65_000; // uint16 has room for those done again, two an aggregator
    uint256 private constant MAX_CHUNKS = 4096; // an answer to a challenge of a sketch has a word for each
    uint256 private constant MAX_CHUNK_LENGTH = 16_384; // that a block has the gas for
    uint256 private constant MIN_WIDTH = 256; // a hash has as many signs
    uint256 private constant KEPT_ROWS = 6; // of the circuit (GramVerifier.openChunk)
    uint256 private constant BASIS_POINTS = 10_000;

    /// @notice Reverts with `InvalidTerms` naming the first term that is out of range.
    function check(Terms calldata terms, IGramVerifier gramVerifier, uint256 longestWindow) internal view {
        _checkShape(terms, gramVerifier);
        _checkWindows(terms, longestWindow);
        _checkRules(terms);
        _checkReference(terms);
        _checkAmounts(terms, _inputs(terms));
    }

    function _checkShape(Terms calldata terms, IGramVerifier gramVerifier) private view {
        _require(terms.spec != 0, "spec", 0);
        _require(terms.slots <= MAX_SLOTS, "slots", terms.slots);
        _require(terms.slots >= 2 * uint256(terms.faults) + 3, "faults", terms.faults);
        _require(terms.cohorts != 0 && terms.cohorts <= MAX_COHORTS, "cohorts", terms.cohorts);
        _require(terms.trainers >= terms.slots && terms.trainers <= MAX_TRAINERS, "trainers", terms.trainers);
        _require(terms.rounds != 0 && terms.rounds <= MAX_ROUNDS, "rounds", terms.rounds);
        Circuit memory circuit = gramVerifier.circuitOf(terms.circuit);
        _require(circuit.verifier != address(0), "circuit", uint256(terms.circuit));
        _require(circuit.slots == _inputs(terms), "circuit slots", circuit.slots);
        if (terms.chunks == 0) {
            _require(terms.chunkLength == 0, "chunkLength", terms.chunkLength);
            _require(BN254.isOnCurve(terms.initialModel), "initialModel", terms.initialModel.x);
        } else {
            _checkChunks(terms, circuit);
        }
    }

    /// @dev The initial model is a root there, and whoever joins recomputes it.
    function _checkChunks(Terms calldata terms, Circuit memory circuit) private pure {
        (uint256 width, uint256 length) = (circuit.length, terms.chunkLength);
        _require(width >= MIN_WIDTH && width & (width - 1) == 0, "circuit length", width);
        bool whole = length != 0 && length % width == 0;
        bool fits = length <= MAX_CHUNK_LENGTH && length + KEPT_ROWS <= 1 << circuit.logrows;
        _require(whole && fits, "chunkLength", length);
        _require(terms.chunks <= MAX_CHUNKS, "chunks", terms.chunks);
        G1 calldata model = terms.initialModel;
        _require(model.x != 0 && model.y == terms.chunks, "initialModel", model.x);
    }

    /// @dev A round's submit deadline must not come before the last round's challenge deadline: then at most one round
    /// can be undone.
    function _checkWindows(Terms calldata terms, uint256 longest) private pure {
        _checkWindow(terms.joinWindow, "joinWindow", longest);
        _checkWindow(terms.submitWindow, "submitWindow", longest);
        _checkWindow(terms.answerWindow, "answerWindow", longest);
        _checkWindow(terms.resultWindow, "resultWindow", longest);
        _checkWindow(terms.challengeWindow, "challengeWindow", terms.submitWindow);
        _require(terms.batchWindow < terms.submitWindow, "batchWindow", terms.batchWindow);
    }

    function _checkRules(Terms calldata terms) private pure {
        _require(terms.maxNormSquared != 0 && terms.maxNormSquared < 1 << 63, "maxNormSquared", terms.maxNormSquared);
        _require(terms.strikeFactor == 0 || terms.strikeFactor >= 100, "strikeFactor", terms.strikeFactor);
        _require(terms.strikeSlash <= BASIS_POINTS, "strikeSlash", terms.strikeSlash);
        _require(terms.duplicateCosine <= BASIS_POINTS, "duplicateCosine", terms.duplicateCosine);
    }

    /// @dev A term that the score rule does not look at must say nothing: nobody shall believe that it holds.
    function _checkReference(Terms calldata terms) private pure {
        bool used = terms.scoreRule == ScoreRule.Reference;
        ScoreRule rest = terms.fallbackRule;
        bool plain = used ? rest != ScoreRule.Reference : rest == terms.scoreRule || rest == ScoreRule.Projection;
        _require(plain, "fallbackRule", uint256(rest));
        uint256 share = terms.referenceShare;
        _require(used ? share != 0 && share <= BASIS_POINTS : share == 0, "referenceShare", share);
        _require(used || terms.revealBond == 0, "revealBond", terms.revealBond);
        bool hidden = terms.validation != 0;
        _require(used ? hidden || terms.revealBond == 0 : !hidden, "validation", uint256(terms.validation));
    }

    function _checkAmounts(Terms calldata terms, uint256 inputs) private pure {
        uint256 budget = uint256(terms.reward) / terms.rounds / terms.cohorts;
        _require(budget > terms.aggregatorFee, "aggregatorFee", terms.aggregatorFee);
        // However many withhold their updates, an aggregator must be able to complain about them all with what its bond
        // has to spare (Complaints).
        uint256 deposits = uint256(terms.complaintDeposit) * inputs * terms.cohorts;
        _require(2 * deposits <= terms.aggregatorBond, "complaintDeposit", terms.complaintDeposit);
        // Amounts are uint96: all that can ever come together in one must fit.
        uint256 most =
            uint256(terms.reward) +
                terms.revealBond +
                MAX_AGGREGATORS * (uint256(terms.aggregatorBond) + deposits) +
                uint256(terms.trainers) * terms.trainerStake;
        _require(most <= type(uint96).max, "total amount", most);
    }

    function _inputs(Terms calldata terms) private pure returns (uint256) {
        return uint256(terms.slots) + (terms.scoreRule == ScoreRule.Reference ? 1 : 0);
    }

    function _checkWindow(uint256 window, bytes32 name, uint256 longest) private pure {
        _require(window != 0 && window <= longest, name, window);
    }

    function _require(bool holds, bytes32 term, uint256 value) private pure {
        if (!holds) revert ITrainingMarket.InvalidTerms(term, value);
    }
}
