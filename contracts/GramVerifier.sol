// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit, IGramVerifier} from "./interfaces/IGramVerifier.sol";
import {IEzklVerifier} from "./interfaces/IEzklVerifier.sol";
import {BitMask} from "./libraries/BitMask.sol";
import {BN254, G1} from "./libraries/BN254.sol";

/// @title GramVerifier
/// @notice Holds the registered circuits. A circuit is named by a digest of its verifier's code, its shape and C_0, so
/// whoever knows the digest knows what is proved; nobody owns the registry.
contract GramVerifier is IGramVerifier {
    using BitMask for uint256;

    uint256 private constant MAX_SLOTS = 16;
    uint256 private constant POINT_BYTES = 64;

    mapping(bytes32 digest => Circuit) private _circuits;

    /// @inheritdoc IGramVerifier
    function register(Circuit calldata circuit) external override returns (bytes32 digest) {
        if (circuit.verifier.code.length == 0) revert NoCode(circuit.verifier);
        if (
            circuit.slots == 0 ||
            circuit.slots > MAX_SLOTS ||
            circuit.length == 0 ||
            circuit.proofLength < circuit.slots * POINT_BYTES
        ) revert InvalidCircuit(circuit.slots, circuit.length, circuit.proofLength);
        if (!BN254.isOnCurve(circuit.zero)) revert InvalidZero(circuit.zero.x, circuit.zero.y);
        digest = _digest(circuit);
        if (_circuits[digest].verifier != address(0)) revert AlreadyRegistered(digest);
        _circuits[digest] = circuit;
        emit CircuitRegistered(digest, circuit.verifier, circuit.slots, circuit.length);
    }

    /// @inheritdoc IGramVerifier
    function circuitOf(bytes32 digest) external view override returns (Circuit memory) {
        return _circuits[digest];
    }

    /// @inheritdoc IGramVerifier
    function verify(
        bytes32 circuit,
        bytes31[] calldata commitments,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata proof
    ) external view override returns (G1 memory moved) {
        Circuit memory known = _circuits[circuit];
        if (known.verifier == address(0)) revert UnknownCircuit(circuit);
        // The code at an address can change (EIP-7702 delegations do): the digest pins what runs now.
        if (_digest(known) != circuit) revert VerifierChanged(circuit, known.verifier);
        uint256 slots = known.slots;
        _requireLength(commitments.length, slots);
        _requireLength(gram.length, (slots * (slots + 1)) / 2);
        _requireLength(proof.length, known.proofLength);
        _requireCommitments(commitments, BN254.digest(known.zero), proof);
        for (uint256 i = 0; i < gram.length; ++i) {
            if (gram[i] >= BN254.SCALAR_MODULUS) revert NotAFieldElement(i, gram[i]);
        }
        _requireProof(known.verifier, gram, proof);
        return _move(known.zero, commitments, merged, model, proof);
    }

    /// @dev The proof carries the commitments themselves: C_i at bytes [64i, 64i + 64).
    function _requireCommitments(bytes31[] calldata commitments, bytes31 zero, bytes calldata proof) private pure {
        for (uint256 i = 0; i < commitments.length; ++i) {
            bytes31 expected = commitments[i] == 0 ? zero : commitments[i];
            if (bytes31(keccak256(_point(proof, i))) != expected) revert CommitmentMismatch(i);
        }
    }

    function _requireProof(address verifier, uint256[] calldata gram, bytes calldata proof) private view {
        // Low level, so that any answer but a clean `true` ends in one error of ours.
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory answer) = verifier.staticcall(abi.encodeCall(IEzklVerifier.verifyProof, (proof, gram)));
        if (!ok || answer.length != 32 || abi.decode(answer, (uint256)) != 1) revert ProofRejected(verifier);
    }

    /// @dev M + sum over merged (C_i - C_0).
    function _move(
        G1 memory zero,
        bytes31[] calldata commitments,
        uint256 merged,
        G1 memory model,
        bytes calldata proof
    ) private view returns (G1 memory moved) {
        if (merged >> commitments.length != 0) revert InvalidMerged(merged);
        if (merged == 0) return model;
        moved = BN254.add(model, BN254.mul(BN254.negate(zero), merged.count()));
        for (uint256 i = 0; i < commitments.length; ++i) {
            if (!merged.has(i)) continue;
            if (commitments[i] == 0) revert InvalidMerged(merged);
            moved = BN254.add(moved, abi.decode(_point(proof, i), (G1)));
        }
    }

    function _point(bytes calldata proof, uint256 slot) private pure returns (bytes calldata) {
        return proof[slot * POINT_BYTES:(slot + 1) * POINT_BYTES];
    }

    function _requireLength(uint256 given, uint256 expected) private pure {
        if (given != expected) revert WrongInputLength(given, expected);
    }

    function _digest(Circuit memory circuit) private view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    circuit.verifier.codehash,
                    uint256(circuit.slots),
                    uint256(circuit.length),
                    uint256(circuit.proofLength),
                    circuit.zero.x,
                    circuit.zero.y
                )
            );
    }
}
