// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Krum} from "./libraries/Krum.sol";

/// @title RoundJudge
/// @notice Krum.sol, which the market's results run, behind an address: lets anyone ask by `eth_call` what the rules
/// make of a Gram matrix. No state, no owner; created by the market in its constructor.
contract RoundJudge {
    /// @notice Judges a round; reverts where a claim is not exactly what the rules give (docs/protocol.md).
    function judge(
        Krum.Rules calldata rules,
        Krum.Input calldata input,
        Krum.Claims calldata claims
    ) external pure returns (Krum.Verdict memory) {
        Krum.Round memory round = Krum.Round({
            submitted: input.submitted,
            referencePresent: input.referencePresent,
            positions: input.positions,
            merged: claims.merged,
            medianScoreSlot: claims.medianScoreSlot,
            medianNormSlot: claims.medianNormSlot
        });
        return Krum.judge(rules, round, input.gram, claims.neighbours);
    }
}
