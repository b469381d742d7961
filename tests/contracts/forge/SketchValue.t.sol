// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {KzgOpening} from "../../../contracts/libraries/KzgOpening.sol";
import {SketchValue} from "../../../contracts/libraries/SketchValue.sol";
import {TestBase} from "./support/TestBase.sol";
import {ToyChunks} from "./support/ToyChunks.sol";

/// @notice The library behind an address, so that a call's gas is its own.
contract Sketcher {
    function sketch(SketchValue.Chunk calldata chunk) external pure returns (int256[] memory) {
        return SketchValue.sketch(chunk);
    }

    function value(int256[] calldata sums, uint256 logrows, uint256 z) external view returns (uint256) {
        return KzgOpening.evaluateList(sums, logrows, z);
    }

    function gasOf(SketchValue.Chunk memory chunk, uint256 logrows) external view returns (uint256, uint256) {
        uint256 start = gasleft();
        int256[] memory sums = SketchValue.sketch(chunk);
        uint256 middle = gasleft();
        KzgOpening.evaluateList(sums, logrows, 5);
        return (start - middle, middle - gasleft());
    }
}

/// @notice Sketches of chunks, against their definition number by number.
contract SketchValueTest is TestBase {
    uint256 private constant R = BN254.SCALAR_MODULUS;

    Sketcher private _sketcher = new Sketcher();

    function testFuzzAnUpdatesChunkIsSketchedAsDefined(bytes32 seed, uint32 first, uint256 shape) external {
        ToyChunks toy = _toy(shape);
        int256[] memory v = _numbers(uint256(seed), toy.length(), 16);
        _assertSame(_sketch(toy, v, new int256[](0), 2, seed, first), toy.sketch(v, seed, first));
    }

    function testFuzzAModelsMoveIsSketchedAsDefined(bytes32 seed, uint32 first, uint256 shape) external {
        ToyChunks toy = _toy(shape);
        int256[] memory v = _numbers(uint256(seed), toy.length(), 32);
        int256[] memory minus = _numbers(uint256(seed) ^ 1, toy.length(), 32);
        int256[] memory moved = new int256[](v.length);
        for (uint256 t = 0; t < v.length; ++t) moved[t] = v[t] - minus[t];
        _assertSame(_sketch(toy, v, minus, 4, seed, first), toy.sketch(moved, seed, first));
    }

    function testExtremes() external {
        ToyChunks toy = _toy(1);
        int256[] memory v = new int256[](toy.length());
        int256[] memory minus = new int256[](v.length);
        int256[] memory moved = new int256[](v.length);
        for (uint256 t = 0; t < v.length; ++t) {
            (v[t], minus[t]) = (type(int32).max, type(int32).min);
            moved[t] = v[t] - minus[t];
        }
        _assertSame(_sketch(toy, v, minus, 4, "seed", 7), toy.sketch(moved, "seed", 7));
        _assertSame(_sketch(toy, minus, v, 4, "seed", 0), _negative(toy.sketch(moved, "seed", 0)));
    }

    /// @dev A sketch is small and signed; the evaluation of packed numbers is held against Lagrange in KzgOpening.t.
    function testFuzzTheValueIsThatOfThePackedNumbers(uint256 seed, uint256 z) external {
        ToyChunks toy = new ToyChunks(10, 256, 512, 1);
        z = bound(z, 2, R - 2);
        int256[] memory v = _numbers(seed, 512, 32);
        (uint256 packed, ) = this.evaluate(toy.pack(v, 4), z);
        vm.assertEq(_sketcher.value(v, 10, z), packed, "value");
    }

    function testAVectorsSketchHasTheSumOfItsChunksValues() external {
        ToyChunks toy = new ToyChunks(10, 256, 512, 3);
        int256[] memory v = toy.vector(5);
        uint256 total = 0;
        for (uint256 j = 0; j < 3; ++j) {
            int256[] memory part = _sketch(toy, toy.chunk(v, j), new int256[](0), 2, "seed", 2 * j);
            total = addmod(total, _sketcher.value(part, 10, 12_345), R);
        }
        vm.assertEq(total, _sketcher.value(toy.sketch(v, "seed", 0), 10, 12_345), "linear");
    }

    /// @dev What a refutation has to pay for: 4,096 numbers of a model, in 256 buckets.
    function testWhatANumberAndABucketCost() external {
        ToyChunks toy = new ToyChunks(13, 256, 4096, 1);
        bytes memory packed = toy.pack(_numbers(1, 4096, 16), 2);
        SketchValue.Chunk memory update = SketchValue.Chunk(packed, "", 2, "seed", 3, 256);
        (uint256 numbers, uint256 buckets) = _sketcher.gasOf(update, 13);
        vm.assertLe(numbers / 4096, 100, "an update's number");
        vm.assertLe(buckets / 256, 200, "a bucket");
        packed = toy.pack(_numbers(1, 4096, 32), 4);
        (numbers, ) = _sketcher.gasOf(SketchValue.Chunk(packed, packed, 4, "seed", 3, 256), 13);
        vm.assertLe(numbers / 4096, 160, "a model's number");
    }

    function evaluate(bytes calldata packed, uint256 z) external view returns (uint256, uint256) {
        return KzgOpening.evaluate(packed, 4, 10, z);
    }

    /// @dev One, two or three blocks of 256 or 512 numbers.
    function _toy(uint256 shape) private returns (ToyChunks) {
        uint256 width = shape % 2 == 0 ? 256 : 512;
        return new ToyChunks(11, width, width * (1 + ((shape >> 1) % 3)), 1);
    }

    function _sketch(
        ToyChunks toy,
        int256[] memory v,
        int256[] memory minus,
        uint256 width,
        bytes32 seed,
        uint256 first
    ) private view returns (int256[] memory) {
        bytes memory packed = toy.pack(v, width);
        return _sketcher.sketch(SketchValue.Chunk(packed, toy.pack(minus, width), width, seed, first, toy.width()));
    }

    function _numbers(uint256 seed, uint256 count, uint256 bits) private pure returns (int256[] memory v) {
        v = new int256[](count);
        for (uint256 t = 0; t < count; ++t) v[t] = (int256(random(seed, t, bits)) << (256 - bits)) >> (256 - bits);
    }

    function _negative(int256[] memory v) private pure returns (int256[] memory) {
        for (uint256 t = 0; t < v.length; ++t) v[t] = -v[t];
        return v;
    }

    function _assertSame(int256[] memory given, int256[] memory expected) private pure {
        vm.assertEq(given.length, expected.length, "buckets");
        for (uint256 u = 0; u < given.length; ++u) vm.assertEq(uint256(given[u]), uint256(expected[u]), "bucket");
    }
}
