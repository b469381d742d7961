// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GramVerifier} from "../../../contracts/GramVerifier.sol";
import {Circuit, IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {IEzklVerifier} from "../../../contracts/interfaces/IEzklVerifier.sol";
import {BN254, G1, G2} from "../../../contracts/libraries/BN254.sol";
import {AcceptingVerifier, OddVerifier, RecordingVerifier} from "./support/AcceptingVerifier.sol";
import {Points} from "./support/Points.sol";
import {TestBase} from "./support/TestBase.sol";
import {ToyCircuit} from "./support/ToyCircuit.sol";

/// @notice What surrounds the proof: digests, masks, lengths, the moved model. Real proofs: tests/contracts/real_proofs.
contract GramVerifierTest is TestBase {
    uint256 private constant SLOTS = 4;
    uint256 private constant LENGTH = SLOTS * 64 + 32;
    uint256 private constant PRESENT = 11; // slot 2 is absent

    GramVerifier private _verifier;
    ToyCircuit private _toy;
    bytes32 private _digest;
    G1 private _zero;
    G1 private _model;
    uint256 private _present = PRESENT;
    uint256[] private _gram;
    bytes private _proof;

    function setUp() external {
        _verifier = new GramVerifier();
        _toy = new ToyCircuit();
        _zero = _toy.zero();
        _model = Points.multiple(5);
        _digest = _verifier.register(_circuit());
        G1[] memory points = new G1[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) points[i] = i == 2 ? _zero : Points.multiple(i + 10);
        _gram = new uint256[](10);
        _proof = Points.proof(points, LENGTH);
    }

    // register

    function testDigestIsTheDocumentedHash() external view {
        Circuit memory c = _circuit();
        bytes32 expected = keccak256(
            abi.encode(
                c.verifier.codehash,
                uint256(c.slots),
                uint256(c.logrows),
                uint256(c.length),
                uint256(c.proofLength),
                c.zero.x,
                c.zero.y,
                [c.tau.xImaginary, c.tau.xReal, c.tau.yImaginary, c.tau.yReal]
            )
        );
        vm.assertEq(_digest, expected, "digest");
        Circuit memory known = _verifier.circuitOf(_digest);
        vm.assertEq(keccak256(abi.encode(known)), keccak256(abi.encode(c)), "circuit");
        vm.assertEq(_verifier.circuitOf(bytes32(uint256(1))).verifier, address(0), "unknown");
    }

    function testEveryFieldIsPartOfTheDigest() external {
        Circuit memory c = _circuit();
        c.slots = 3;
        vm.assertTrue(_verifier.register(c) != _digest, "slots");
        c = _circuit();
        c.logrows = 4;
        vm.assertTrue(_verifier.register(c) != _digest, "logrows");
        c = _circuit();
        c.length = 3;
        vm.assertTrue(_verifier.register(c) != _digest, "length");
        c = _circuit();
        c.proofLength += 1;
        vm.assertTrue(_verifier.register(c) != _digest, "proofLength");
        c = _circuit();
        c.zero = BN254.negate(c.zero);
        vm.assertTrue(_verifier.register(c) != _digest, "zero");
        c = _circuit();
        c.tau.yImaginary = BN254.BASE_MODULUS - c.tau.yImaginary; // its negative
        c.tau.yReal = BN254.BASE_MODULUS - c.tau.yReal;
        vm.assertTrue(_verifier.register(c) != _digest, "tau");
    }

    function testRegisteringAgainChangesNothing() external {
        Circuit memory c = _circuit();
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.AlreadyRegistered.selector, _digest));
        _verifier.register(c);
        // The same code elsewhere has the same digest: the first stays.
        c.verifier = address(new AcceptingVerifier());
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.AlreadyRegistered.selector, _digest));
        _verifier.register(c);
    }

    /// As many entries as rows is the most: an opening has a row for each. How many rows a circuit keeps for itself is
    /// its verifier's, which the digest pins and nodes rebuild.
    function testAVectorFillsAtMostAllRows() external {
        Circuit memory c = _circuit();
        c.length = 8; // 2^3
        bytes32 digest = _verifier.register(c);
        G1 memory none = G1(0, 0);
        bytes memory zeros = new bytes(16);
        vm.assertEq(_verifier.open(digest, _zero, 2, zeros, none), 0, "a row for each");
        zeros[15] = 0x01; // the last row counts
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        _verifier.open(digest, _zero, 2, zeros, none);
        c.length = 9;
        _refuseNumbers(c);
    }

    function testRegisterRefuses() external {
        Circuit memory c = _circuit();
        c.verifier = party("no code");
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.NoCode.selector, c.verifier));
        _verifier.register(c);
        c = _circuit();
        c.zero = G1(1, 1);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidZero.selector, 1, 1));
        _verifier.register(c);
        c = _circuit();
        c.slots = 17;
        c.proofLength = 17 * 64;
        _refuseNumbers(c);
        c.slots = 0;
        _refuseNumbers(c);
        c = _circuit();
        c.length = 0;
        _refuseNumbers(c);
        c.length = 9; // of 8 rows
        _refuseNumbers(c);
        c.logrows = 0;
        _refuseNumbers(c);
        c.logrows = 29;
        _refuseNumbers(c);
        c = _circuit();
        c.proofLength = uint32(SLOTS * 64 - 1);
        _refuseNumbers(c);
    }

    function testRegisterRefusesTauOutsideItsGroup() external {
        Circuit memory c = _circuit();
        c.tau.xReal ^= 1;
        _refuseTau(c);
        c.tau = G2(0, 0, 0, 0);
        _refuseTau(c);
        c = _circuit();
        c.tau.xReal += BN254.BASE_MODULUS; // the same point, spelled otherwise
        _refuseTau(c);
        c = _circuit();
        (c.tau.xReal, c.tau.xImaginary) = (c.tau.xImaginary, c.tau.xReal);
        _refuseTau(c);
        // On the twist's curve and not of G2's order.
        c.tau = G2({
            xImaginary: 0,
            xReal: 1,
            yImaginary: 0x0d1271953ed9ea0836846e70a1934187998c7f790cb4d7511b7f8da82de048a4,
            yReal: 0x2869111d5381f072f8e2728fdb825a51aadd70e52c9830e9ab4b871c0531f1bb
        });
        _refuseTau(c);
    }

    function _refuseNumbers(Circuit memory c) private {
        vm.expectRevert(
            abi.encodeWithSelector(IGramVerifier.InvalidCircuit.selector, c.slots, c.logrows, c.length, c.proofLength)
        );
        _verifier.register(c);
    }

    function _refuseTau(Circuit memory c) private {
        vm.expectRevert(IGramVerifier.InvalidTau.selector);
        _verifier.register(c);
    }

    // verify

    function testMovesTheModelByTheMerged() external view {
        G1 memory moved = _verify(11); // slots 0, 1, 3: multiples 10, 11, 13
        G1 memory expected = BN254.add(Points.multiple(5 + 10 + 11 + 13), BN254.mul(BN254.negate(_zero), 3));
        vm.assertEq(moved.x, expected.x, "x");
        vm.assertEq(moved.y, expected.y, "y");
        vm.assertEq(_verify(0).x, _model.x, "nothing merged: the model stands");
    }

    function testFuzzMoveIsTheSumOfDifferences(uint8 mask) external {
        uint256 merged = bound(mask, 0, 15);
        if ((merged >> 2) & 1 == 1) {
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidMerged.selector, merged));
            _verify(merged);
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidMerged.selector, merged));
            _move(merged);
            return;
        }
        G1 memory expected = _model;
        for (uint256 i = 0; i < SLOTS; ++i) {
            if ((merged >> i) & 1 == 0) continue;
            expected = BN254.add(BN254.add(expected, Points.multiple(i + 10)), BN254.negate(_zero));
        }
        vm.assertEq(_verify(merged).x, expected.x, "x");
        G1 memory moved = _move(merged);
        vm.assertEq(moved.x, expected.x, "x without the proof");
        vm.assertEq(moved.y, expected.y, "y without the proof");
    }

    function testRefusesAMergedSlotBeyondTheCircuit() external {
        _present = 31;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidMerged.selector, 16));
        _verify(16);
    }

    function testRefusesUnknownCircuits() external {
        _digest = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.UnknownCircuit.selector, _digest));
        _verify(0);
    }

    function testRefusesAVerifierWhoseCodeChanged() external {
        address verifier = _circuit().verifier;
        vm.etch(verifier, address(new OddVerifier(OddVerifier.Answer.False)).code);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.VerifierChanged.selector, _digest, verifier));
        _verify(0);
    }

    function testFuzzAnAbsentSlotHoldsTheZeroCommitment(uint256 at, uint8 change) external {
        vm.assume(change != 0);
        at = bound(at, 2 * 64, 3 * 64 - 1);
        _proof[at] = bytes1(uint8(_proof[at]) ^ change);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 2));
        _verify(11);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 2));
        _move(11);
        _present = 15; // that a present slot holds what its trainer submitted is for the caller to compare
        _move(11);
    }

    function testRefusesAnUpdateInAnAbsentSlot() external {
        _present = 3;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 3));
        _verify(3);
    }

    function testRefusesMergedPointsOffTheCurve() external {
        _proof[63] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(6)));
        _move(1);
        _move(2);
        _model = G1(1, 1);
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(6)));
        _move(2);
    }

    function testFuzzTheVerifierIsAskedAboutExactlyThis(bytes calldata tail, uint256 seed) external {
        RecordingVerifier recording = new RecordingVerifier();
        Circuit memory c = _circuit();
        c.verifier = address(recording);
        _proof = abi.encodePacked(_proof, tail); // of any length: the padding is ours
        c.proofLength = uint32(_proof.length);
        _digest = _verifier.register(c);
        for (uint256 i = 0; i < 10; ++i) _gram[i] = random(seed, i, 0) % BN254.SCALAR_MODULUS;
        recording.expect(keccak256(abi.encodeCall(IEzklVerifier.verifyProof, (_proof, _gram))));
        _verify(11);
    }

    function testRefusesTrailingOrMissingBytes() external {
        bytes memory whole = _proof;
        _proof = abi.encodePacked(whole, uint8(0));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, LENGTH + 1, LENGTH));
        _verify(11);
        _proof = new bytes(LENGTH - 1);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, LENGTH - 1, LENGTH));
        _verify(11);
    }

    function testMoveTakesTheCommitmentsAlone() external {
        bytes memory whole = _proof;
        _proof = abi.encodePacked(_commitments(), uint8(0));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, SLOTS * 64 + 1, SLOTS * 64));
        _verifier.move(_digest, _present, 11, _model, _gram, _proof);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, LENGTH, SLOTS * 64));
        _verifier.move(_digest, _present, 11, _model, _gram, whole);
    }

    function testRefusesWrongCounts() external {
        _gram.push(0);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 11, 10));
        _verify(11);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 11, 10));
        _move(11);
        _gram = new uint256[](9);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 9, 10));
        _move(11);
    }

    function testFuzzRefusesNumbersBeyondTheField(uint256 index, uint256 excess) external {
        index = bound(index, 0, 9);
        uint256 value = BN254.SCALAR_MODULUS + bound(excess, 0, type(uint256).max - BN254.SCALAR_MODULUS);
        _gram[index] = value;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.NotAFieldElement.selector, index, value));
        _verify(11);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.NotAFieldElement.selector, index, value));
        _move(11);
    }

    function testAnyAnswerButTrueIsARefusal() external {
        for (uint256 i = 0; i <= uint256(type(OddVerifier.Answer).max); ++i) {
            Circuit memory c = _circuit();
            c.verifier = address(new OddVerifier(OddVerifier.Answer(i)));
            _digest = _verifier.register(c);
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.ProofRejected.selector, c.verifier));
            _verify(11);
        }
    }

    // Curve

    function testFuzzPointsOnAndOffTheCurve(uint256 factor, uint256 x, uint256 y) external view {
        factor = bound(factor, 1, BN254.SCALAR_MODULUS - 1);
        G1 memory point = Points.multiple(factor);
        vm.assertTrue(BN254.isOnCurve(point), "a multiple of the generator");
        vm.assertTrue(BN254.isOnCurve(BN254.negate(point)), "its negative");
        G1 memory none = BN254.add(point, BN254.negate(point));
        vm.assertEq(none.x + none.y, 0, "they cancel");
        // A random pair is on the curve with probability 2^-254; the precompile must agree.
        (bool ok, ) = address(6).staticcall(abi.encode(x, y, 0, 0));
        vm.assertTrue(BN254.isOnCurve(G1(x, y)) == (ok && (x | y) != 0), "as the precompile says");
    }

    function testAddRefusesPointsOffTheCurve() external {
        vm.expectRevert(abi.encodeWithSelector(BN254.CurveOperationFailed.selector, address(6)));
        this.addOffCurve();
    }

    function addOffCurve() external view returns (G1 memory) {
        return BN254.add(G1(1, 1), G1(1, 2));
    }

    function _circuit() private view returns (Circuit memory) {
        return _toy.circuit(uint8(SLOTS));
    }

    function _verify(uint256 merged) private view returns (G1 memory) {
        return _verifier.verify(_digest, _present, merged, _model, _gram, _proof);
    }

    function _move(uint256 merged) private view returns (G1 memory) {
        return _verifier.move(_digest, _present, merged, _model, _gram, _commitments());
    }

    function _commitments() private view returns (bytes memory prefix) {
        prefix = new bytes(SLOTS * 64);
        for (uint256 i = 0; i < prefix.length; ++i) prefix[i] = _proof[i];
    }
}
