// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GramVerifier} from "../../../contracts/GramVerifier.sol";
import {Circuit, IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {AcceptingVerifier, OddVerifier} from "./support/AcceptingVerifier.sol";
import {Points} from "./support/Points.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice What surrounds the proof: digests, commitments, lengths, the moved model. Real proofs: the end-to-end tests.
contract GramVerifierTest is TestBase {
    uint256 private constant SLOTS = 4;
    uint256 private constant LENGTH = SLOTS * 64 + 96;

    GramVerifier private _verifier;
    AcceptingVerifier private _accepting;
    bytes32 private _digest;
    G1 private _zero;
    G1 private _model;
    bytes31[] private _commitments;
    uint256[] private _gram;
    bytes private _proof;

    function setUp() external {
        _verifier = new GramVerifier();
        _accepting = new AcceptingVerifier();
        _zero = Points.multiple(99);
        _model = Points.multiple(5);
        _digest = _verifier.register(_circuit());
        G1[] memory points = new G1[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) {
            points[i] = i == 2 ? _zero : Points.multiple(i + 10); // slot 2 is absent
            _commitments.push(i == 2 ? bytes31(0) : BN254.digest(points[i]));
        }
        _gram = new uint256[](10);
        _proof = Points.proof(points, LENGTH);
    }

    // register

    function testDigestIsTheDocumentedHash() external view {
        bytes32 expected = keccak256(
            abi.encode(address(_accepting).codehash, SLOTS, uint256(650), LENGTH, _zero.x, _zero.y)
        );
        vm.assertEq(_digest, expected, "digest");
        Circuit memory known = _verifier.circuitOf(_digest);
        vm.assertEq(keccak256(abi.encode(known)), keccak256(abi.encode(_circuit())), "circuit");
        vm.assertEq(_verifier.circuitOf(bytes32(uint256(1))).verifier, address(0), "unknown");
    }

    function testRegisteringAgainChangesNothing() external {
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.AlreadyRegistered.selector, _digest));
        _verifier.register(_circuit());
        // The same code elsewhere has the same digest: the first stays.
        Circuit memory twin = _circuit();
        twin.verifier = address(new AcceptingVerifier());
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.AlreadyRegistered.selector, _digest));
        _verifier.register(twin);
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
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidCircuit.selector, 17, 650, 17 * 64));
        _verifier.register(c);
        c.slots = 0;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidCircuit.selector, 0, 650, 17 * 64));
        _verifier.register(c);
        c = _circuit();
        c.length = 0;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidCircuit.selector, SLOTS, 0, LENGTH));
        _verifier.register(c);
        c = _circuit();
        c.proofLength = uint32(SLOTS * 64 - 1);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidCircuit.selector, SLOTS, 650, SLOTS * 64 - 1));
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
            return;
        }
        G1 memory expected = _model;
        for (uint256 i = 0; i < SLOTS; ++i) {
            if ((merged >> i) & 1 == 0) continue;
            expected = BN254.add(BN254.add(expected, Points.multiple(i + 10)), BN254.negate(_zero));
        }
        vm.assertEq(_verify(merged).x, expected.x, "x");
    }

    function testRefusesAMergedSlotBeyondTheCircuit() external {
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidMerged.selector, 16));
        _verify(16);
    }

    function testRefusesUnknownCircuits() external {
        _digest = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.UnknownCircuit.selector, _digest));
        _verify(0);
    }

    function testRefusesAVerifierWhoseCodeChanged() external {
        vm.etch(address(_accepting), address(new OddVerifier(OddVerifier.Answer.False)).code);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.VerifierChanged.selector, _digest, address(_accepting)));
        _verify(0);
    }

    function testFuzzAnyChangedCommitmentByteIsRefused(uint256 at, uint8 change) external {
        vm.assume(change != 0);
        at = bound(at, 0, SLOTS * 64 - 1);
        _proof[at] = bytes1(uint8(_proof[at]) ^ change);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, at / 64));
        _verify(11);
    }

    function testRefusesSwappedSlots() external {
        (_commitments[0], _commitments[1]) = (_commitments[1], _commitments[0]);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 0));
        _verify(11);
    }

    function testRefusesAnUpdateInAnAbsentSlotAndAZeroInAPresentOne() external {
        _commitments[3] = 0;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 3));
        _verify(3);
        _commitments[3] = BN254.digest(Points.multiple(13));
        _commitments[2] = BN254.digest(Points.multiple(12));
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 2));
        _verify(3);
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

    function testRefusesWrongCounts() external {
        _gram.push(0);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 11, 10));
        _verify(11);
        _gram.pop();
        _commitments.push(0);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 5, 4));
        _verify(11);
    }

    function testFuzzRefusesNumbersBeyondTheField(uint256 index, uint256 excess) external {
        index = bound(index, 0, 9);
        uint256 value = BN254.SCALAR_MODULUS + bound(excess, 0, type(uint256).max - BN254.SCALAR_MODULUS);
        _gram[index] = value;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.NotAFieldElement.selector, index, value));
        _verify(11);
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
        return Circuit(address(_accepting), uint8(SLOTS), 650, uint32(LENGTH), _zero);
    }

    function _verify(uint256 merged) private view returns (G1 memory) {
        return _verifier.verify(_digest, _commitments, merged, _model, _gram, _proof);
    }
}
