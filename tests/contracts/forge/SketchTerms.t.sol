// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITrainingMarket, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {Permit} from "../../../contracts/libraries/Payments.sol";
import {SketchFixture} from "./support/SketchFixture.sol";
import {ToyChunks} from "./support/ToyChunks.sol";

/// @notice The terms of the sketch path at their edges.
contract SketchTermsTest is SketchFixture {
    function testChunks() external {
        Terms memory t = _plain(sketchCircuit);
        t.chunks = 4097;
        t.initialModel.y = 4097;
        _refused(t, "chunks", 4097);
        (t.chunks, t.initialModel.y) = (4096, 4096);
        _taken(t);
        (t.chunks, t.initialModel.y) = (1, 1);
        _taken(t);
    }

    function testChunkLength() external {
        Terms memory t = _plain(sketchCircuit);
        uint32[5] memory refused = [uint32(0), 1, 255, 257, 1024]; // the last one: rows less 6 are too few
        for (uint256 i = 0; i < 5; ++i) {
            t.chunkLength = refused[i];
            _refused(t, "chunkLength", refused[i]);
        }
        uint32[3] memory taken_ = [uint32(256), 512, 768];
        for (uint256 i = 0; i < 3; ++i) {
            t.chunkLength = taken_[i];
            _taken(t);
        }
        t.circuit = _circuit(15, 256);
        t.chunkLength = 16_384;
        _taken(t);
        t.chunkLength += 256;
        _refused(t, "chunkLength", 16_640);
        t.chunkLength = type(uint32).max - 255;
        _refused(t, "chunkLength", type(uint32).max - 255);
    }

    function testTheWidthIsAPowerOfTwoFrom256On() external {
        uint256[5] memory refused = [uint256(1), 128, 255, 300, 768];
        for (uint256 i = 0; i < 5; ++i) {
            Terms memory t = _plain(_circuit(12, refused[i]));
            t.chunkLength = uint32(refused[i]);
            _refused(t, "circuit length", refused[i]);
        }
        Terms memory wide = _plain(_circuit(12, 1024));
        wide.chunkLength = 2048;
        _taken(wide);
    }

    function testTheInitialModelIsARootAndItsChunks() external {
        Terms memory t = _plain(sketchCircuit);
        t.initialModel.y = CHUNKS + 1;
        _refused(t, "initialModel", t.initialModel.x);
        t.initialModel.y = CHUNKS;
        t.initialModel.x = 0;
        _refused(t, "initialModel", 0);
    }

    function testTheExactPathHasNoChunks() external {
        Terms memory t = _terms(address(0));
        t.chunkLength = 512;
        _refused(t, "chunkLength", 512);
        t = _plain(sketchCircuit);
        t.chunks = 0; // a root is no point
        t.chunkLength = 0;
        _refused(t, "initialModel", t.initialModel.x);
        vm.assertTrue(!market.projectOf(_active(address(0))).sketched, "exact");
    }

    function _plain(bytes32 digest) private view returns (Terms memory t) {
        t = _sketchTerms(address(0));
        t.circuit = digest;
        t.initialModel.x = uint256(keccak256("a root"));
    }

    function _circuit(uint256 logrows, uint256 width) private returns (bytes32) {
        return gramVerifier.register(new ToyChunks(logrows, width, width, 1).circuit(uint8(SLOTS)));
    }

    function _taken(Terms memory t) private {
        vm.assertTrue(market.projectOf(_create(t)).sketched, "sketched");
    }

    function _refused(Terms memory t, bytes32 term, uint256 value) private {
        Permit memory none;
        vm.deal(owner, t.reward);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidTerms.selector, term, value));
        vm.prank(owner);
        market.create{value: t.reward}(t, none);
    }
}
