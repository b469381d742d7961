// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {SketchFixture} from "./support/SketchFixture.sol";
import {ToyChunks} from "./support/ToyChunks.sol";

/// @notice EIP-7825 lets no transaction use more than 2^24 gas: what answers a challenge has to fit at the largest sizes
/// that a spec may have, with the fifth that our nodes put on top of an estimate (marketplace/chain/fees.py).
contract LargestCallsTest is SketchFixture {
    uint256 private constant MOST = 13_981_013; // 2^24 * 5 / 6
    uint256 private constant REST = 300_000; // what the market does around an opening, and more than that

    event Used(string call, uint256 gas);

    function testTheLargestModelOfTheExactPathIsShown() external {
        uint256 length = 32_000; // marketplace/spec/rules.py, MAX_LENGTH
        _fits("answerModel, d = 32,000", new ToyChunks(15, length, length, 1), IGramVerifier.open.selector);
    }

    function testTheLargestChunkOfTheSketchPathIsShown() external {
        ToyChunks longest = new ToyChunks(14, 512, 15_360, 1); // marketplace/spec/sections.py, `chunk_length`
        _fits("showChunk, n = 15,360", longest, IGramVerifier.openChunk.selector);
    }

    /// Numbers that are long and of both signs, as most bytes then cost what a byte can.
    function _model(ToyChunks toy_) private view returns (int256[] memory v) {
        v = new int256[](toy_.length());
        unchecked {
            for (uint256 t = 0; t < v.length; ++t) v[t] = int256(int32(uint32((t + 1) * 2_654_435_761)));
        }
    }

    function _fits(string memory name, ToyChunks toy_, bytes4 opens) private {
        bytes32 digest = gramVerifier.register(toy_.circuit(uint8(SLOTS)));
        int256[] memory model = _model(toy_);
        G1 memory proof = toy_.open(digest, model, 4);
        bytes memory call = abi.encodeWithSelector(
            opens,
            digest,
            toy_.commitment(model),
            4,
            toy_.pack(model, 4),
            proof
        );
        uint256 used = _sendTo(address(gramVerifier), stranger, call) + REST;
        emit Used(name, used);
        vm.assertLe(used, MOST, name);
    }
}
