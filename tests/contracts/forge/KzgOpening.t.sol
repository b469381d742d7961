// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GramVerifier} from "../../../contracts/GramVerifier.sol";
import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {Opening} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {KzgOpening} from "../../../contracts/libraries/KzgOpening.sol";
import {Points} from "./support/Points.sol";
import {TestBase} from "./support/TestBase.sol";
import {ToyCircuit} from "./support/ToyCircuit.sol";

/// @notice The library's evaluation, reached with calldata.
contract Evaluator {
    function evaluate(
        bytes calldata packed,
        uint256 width,
        uint256 logrows,
        uint256 z
    ) external view returns (uint256, uint256) {
        return KzgOpening.evaluate(packed, width, logrows, z);
    }
}

/// @notice Openings over an SRS whose secret is known. Real commitments: tests/contracts/real_proofs/test_openings.py.
contract KzgOpeningTest is TestBase {
    uint256 private constant R = BN254.SCALAR_MODULUS;

    Evaluator private _evaluator = new Evaluator();
    GramVerifier private _verifier = new GramVerifier();
    ToyCircuit private _toy = new ToyCircuit();
    bytes32 private _digest;

    function setUp() external {
        _digest = _verifier.register(_toy.circuit(3));
    }

    // The polynomial's value

    function testFuzzEvaluatesAsLagrangeDid(uint256 seed, uint256 z) external view {
        uint256 width = seed % 2 == 0 ? 2 : 4;
        uint256 logrows = 3 + ((seed >> 8) % 4);
        uint256 length = 1 + ((seed >> 16) % (1 << logrows)); // up to 64 integers: eight words, the last one partial
        z = bound(z, 2, R - 2);
        int256[] memory v = _vector(seed, length, width);
        (uint256 value, uint256 normSquared) = _evaluator.evaluate(_toy.pack(v, width), width, logrows, z);
        uint256 norm = 0;
        for (uint256 j = 0; j < length; ++j) norm += uint256(v[j] * v[j]);
        vm.assertEq(normSquared, norm, "norm");
        vm.assertEq(value, _lagrange(v, logrows, z), "value");
    }

    function testRootsOfUnityAndZeroHaveNoAnswer() external {
        bytes memory packed = new bytes(16);
        uint256[3] memory refused = [uint256(0), 1, R - 1]; // two of the eighth roots of unity
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert();
            _evaluator.evaluate(packed, 2, 3, refused[i]);
        }
        _evaluator.evaluate(packed, 2, 3, 2);
    }

    // Openings

    function testFuzzATrueOpeningHolds(int16[4] calldata entries, bool wide) external view {
        int256[] memory v = new int256[](4);
        uint256 norm = 0;
        for (uint256 j = 0; j < 4; ++j) {
            v[j] = entries[j];
            norm += uint256(v[j] * v[j]);
        }
        uint256 width = wide ? 4 : 2;
        vm.assertEq(_open(_toy.commitment(v), width, _toy.open(_digest, v, width)), norm, "norm");
    }

    function testExtremes() external view {
        int256[2] memory most = [int256(type(int16).max), type(int32).max];
        for (uint256 i = 0; i < 2; ++i) {
            int256[] memory v = new int256[](4);
            (v[0], v[1], v[2], v[3]) = (most[i], -most[i] - 1, -1, most[i]);
            uint256 norm = uint256(2 * most[i] * most[i] + (most[i] + 1) * (most[i] + 1) + 1);
            uint256 width = 2 * (i + 1);
            vm.assertEq(_open(_toy.commitment(v), width, _toy.open(_digest, v, width)), norm, "norm");
        }
    }

    function testZerosHaveTheIdentityAsProof() external view {
        Opening memory opening = _toy.open(_digest, new int256[](4), 2);
        vm.assertEq(opening.proof.x | opening.proof.y, 0, "proof");
        vm.assertEq(_open(_toy.zero(), 2, opening), 0, "norm");
    }

    function testFuzzAnyAlteredByteIsRefused(uint256 seed, uint256 at, uint8 change) external {
        vm.assume(change != 0);
        (G1 memory c, Opening memory opening) = _opened(seed, 2);
        at = bound(at, 0, opening.packed.length - 1);
        opening.packed[at] = bytes1(uint8(opening.packed[at]) ^ change);
        _refuse(c, 2, opening);
    }

    function testFuzzAnotherVectorsOpeningIsRefused(uint256 a, uint256 b) external {
        (G1 memory c, Opening memory ours) = _opened(a, 2);
        (G1 memory other, Opening memory theirs) = _opened(b, 2);
        vm.assume(c.x != other.x || c.y != other.y);
        _refuse(c, 2, theirs);
        _refuse(other, 2, ours);
        _refuse(c, 2, Opening(ours.packed, theirs.proof));
        _refuse(c, 2, Opening(theirs.packed, ours.proof));
        _refuse(BN254.negate(c), 2, ours);
    }

    function testFuzzAnotherProofIsRefused(uint256 seed, uint256 factor) external {
        (G1 memory c, Opening memory opening) = _opened(seed, 4);
        G1 memory proof = opening.proof;
        opening.proof = Points.multiple(bound(factor, 1, R - 1));
        vm.assume(proof.x != opening.proof.x);
        _refuse(c, 4, opening);
        opening.proof = BN254.negate(proof);
        _refuse(c, 4, opening);
        opening.proof = G1(0, 0);
        _refuse(c, 4, opening);
    }

    /// @dev The commitment holds something in a row behind the vector: no vector opens it.
    function testUnusedRowsHoldZero() external {
        int256[] memory five = new int256[](5);
        for (uint256 j = 0; j < 5; ++j) five[j] = int256(j) + 1;
        int256[] memory four = new int256[](4);
        for (uint256 j = 0; j < 4; ++j) four[j] = five[j];
        _refuse(_toy.commitment(five), 2, _toy.open(_digest, four, 2));
        // Even with the proof that fits the longer vector at this challenge: its value there is another one.
        Opening memory opening = _toy.open(_digest, five, 2);
        opening.packed = _toy.pack(four, 2);
        _refuse(_toy.commitment(five), 2, opening);
    }

    function testAnOpeningIsForOneCircuit() external {
        bytes32 other = _verifier.register(_toy.circuit(4));
        (G1 memory c, Opening memory opening) = _opened(1, 2);
        _digest = other;
        _refuse(c, 2, opening);
        _digest = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.UnknownCircuit.selector, _digest));
        _open(c, 2, opening);
    }

    function testRefusesOtherLengthsAndWidths() external {
        (G1 memory c, Opening memory opening) = _opened(1, 2);
        for (uint256 length = 0; length < 20; ++length) {
            if (length == 8) continue;
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, length, 8));
            _open(c, 2, Opening(new bytes(length), opening.proof));
        }
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 8, 16));
        _open(c, 4, opening);
        uint256[5] memory widths = [uint256(0), 1, 3, 8, type(uint256).max];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidWidth.selector, widths[i]));
            _open(c, widths[i], opening);
        }
    }

    function testRefusesPointsOffTheCurve() external {
        (G1 memory c, Opening memory opening) = _opened(1, 2);
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(6)));
        _open(G1(c.x, c.y ^ 1), 2, opening);
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(6)));
        _open(G1(c.x + BN254.BASE_MODULUS, c.y), 2, opening);
        _refuse(G1(0, 0), 2, opening); // the identity is no vector's commitment
        opening.proof.y ^= 1;
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(7)));
        _open(c, 2, opening);
    }

    /// @dev What stands behind the packed bytes in the calldata is not read as integers.
    function testFuzzThePaddingIsNotRead(uint256 seed, uint8 junk) external view {
        (G1 memory c, Opening memory opening) = _opened(seed, 2);
        bytes memory input = abi.encodeCall(IGramVerifier.open, (_digest, c, 2, opening.packed, opening.proof));
        for (uint256 i = input.length - 24; i < input.length; ++i) input[i] = bytes1(junk);
        (bool ok, bytes memory answer) = address(_verifier).staticcall(input);
        vm.assertTrue(ok, "opened");
        vm.assertEq(abi.decode(answer, (uint256)), _open(c, 2, opening), "norm");
    }

    function _opened(uint256 seed, uint256 width) private view returns (G1 memory, Opening memory) {
        int256[] memory v = _toy.vector(seed % 1000);
        return (_toy.commitment(v), _toy.open(_digest, v, width));
    }

    function _open(G1 memory c, uint256 width, Opening memory opening) private view returns (uint256) {
        return _verifier.open(_digest, c, width, opening.packed, opening.proof);
    }

    function _refuse(G1 memory c, uint256 width, Opening memory opening) private {
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        _open(c, width, opening);
    }

    function _vector(uint256 seed, uint256 length, uint256 width) private pure returns (int256[] memory v) {
        v = new int256[](length);
        for (uint256 j = 0; j < length; ++j) {
            uint256 word = random(seed, j, 7);
            v[j] = width == 2 ? int256(int16(uint16(word))) : int256(int32(uint32(word)));
        }
    }

    /// @dev sum_j v_j prod_{i != j} (z - omega^i) / (omega^j - omega^i), over all rows: the definition.
    function _lagrange(int256[] memory v, uint256 logrows, uint256 z) private view returns (uint256 value) {
        uint256 rows = 1 << logrows;
        uint256[] memory roots = new uint256[](rows);
        roots[0] = 1;
        uint256 omega = _power(7, (R - 1) >> logrows); // 7 generates the field's units
        for (uint256 i = 1; i < rows; ++i) roots[i] = mulmod(roots[i - 1], omega, R);
        for (uint256 j = 0; j < v.length; ++j) {
            uint256 over = v[j] < 0 ? R - uint256(-v[j]) : uint256(v[j]);
            uint256 under = 1;
            for (uint256 i = 0; i < rows; ++i) {
                if (i == j) continue;
                over = mulmod(over, addmod(z, R - roots[i], R), R);
                under = mulmod(under, addmod(roots[j], R - roots[i], R), R);
            }
            value = addmod(value, mulmod(over, BN254.invert(under), R), R);
        }
    }

    function _power(uint256 base, uint256 exponent) private pure returns (uint256 result) {
        result = 1;
        for (; exponent != 0; exponent >>= 1) {
            if (exponent & 1 == 1) result = mulmod(result, base, R);
            base = mulmod(base, base, R);
        }
    }
}
