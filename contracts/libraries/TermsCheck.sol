// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit, IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {ITrainingMarket, Terms} from "../interfaces/ITrainingMarket.sol";
import {BN254} from "./BN254.sol";

/// @title What terms a project may have
library TermsCheck {
    uint256 internal constant MAX_SLOTS = 16;
    uint256 internal constant MAX_AGGREGATORS = 8;
    uint256 private constant BASIS_POINTS = 10_000;

    /// @notice Reverts with `InvalidTerms` naming the first term that is out of range.
    function check(Terms calldata terms, IGramVerifier gramVerifier, uint256 longestWindow) internal view {
        _require(terms.spec != 0, "spec", 0);
        _require(terms.slots <= MAX_SLOTS, "slots", terms.slots);
        _require(terms.slots >= 2 * uint256(terms.faults) + 3, "faults", terms.faults);
        Circuit memory circuit = gramVerifier.circuitOf(terms.circuit);
        _require(circuit.verifier != address(0), "circuit", uint256(terms.circuit));
        _require(circuit.slots == terms.slots, "circuit slots", circuit.slots);
        _require(terms.rounds != 0, "rounds", 0);
        _require(terms.reward / terms.rounds > terms.aggregatorFee, "aggregatorFee", terms.aggregatorFee);
        _checkWindow(terms.joinWindow, "joinWindow", longestWindow);
        _checkWindow(terms.submitWindow, "submitWindow", longestWindow);
        _checkWindow(terms.resultWindow, "resultWindow", longestWindow);
        _require(terms.strikeFactor == 0 || terms.strikeFactor >= 100, "strikeFactor", terms.strikeFactor);
        _require(terms.strikeSlash <= BASIS_POINTS, "strikeSlash", terms.strikeSlash);
        _require(terms.duplicateCosine <= BASIS_POINTS, "duplicateCosine", terms.duplicateCosine);
        _require(terms.maxNormSquared != 0 && terms.maxNormSquared < 1 << 63, "maxNormSquared", terms.maxNormSquared);
        _require(BN254.isOnCurve(terms.initialModel), "initialModel", terms.initialModel.x);
        // Escrow and pot are uint128: all that can ever come together in them must fit.
        uint256 most =
            uint256(terms.reward) +
                MAX_AGGREGATORS * uint256(terms.aggregatorBond) +
                MAX_SLOTS * uint256(terms.trainerStake);
        _require(most <= type(uint128).max, "total amount", most);
    }

    function _checkWindow(uint256 window, bytes32 name, uint256 longest) private pure {
        _require(window != 0 && window <= longest, name, window);
    }

    function _require(bool holds, bytes32 term, uint256 value) private pure {
        if (!holds) revert ITrainingMarket.InvalidTerms(term, value);
    }
}
