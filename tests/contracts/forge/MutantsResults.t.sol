// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {RoundResult} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice What a refused result says: faults made by tools/mutate.py came through here.
contract MutantsResultsTest is MarketFixture {
    /// @notice Nothing is read beyond a proof that ends before the reference's commitment: a bare revert says so.
    function testAProofCutOffBeforeTheReferenceIsRefusedBeforeItIsRead() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        bytes memory whole = result.proof;
        result.proof = new bytes(SLOTS * 64);
        for (uint256 i = 0; i < result.proof.length; ++i) result.proof[i] = whole[i];
        vm.expectRevert(bytes(""));
        vm.prank(aggregators[0]);
        market.postResult(project, result);
        result.proof = whole;
        _postResult(project, result);
    }
}
