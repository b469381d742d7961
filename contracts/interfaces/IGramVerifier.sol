// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1} from "../libraries/BN254.sol";

/// @notice A circuit of shape (slots, length), pinned by its digest.
struct Circuit {
    address verifier; // ezkl's generated verifier
    uint8 slots;
    uint32 length;
    uint32 proofLength; // bytes
    G1 zero; // C_0
}

/// @title Ties a proof to the commitments of a round and to a pinned circuit
interface IGramVerifier {
    /// @notice A circuit can now be named by projects.
    event CircuitRegistered(bytes32 indexed digest, address indexed verifier, uint256 slots, uint256 length);

    /// @notice The verifier's address has no code.
    error NoCode(address verifier);
    /// @notice A number of the circuit is out of range: slots 1 to 16, length at least 1, room for a point a slot.
    error InvalidCircuit(uint256 slots, uint256 length, uint256 proofLength);
    /// @notice The commitment of the zero vector is not on the curve.
    error InvalidZero(uint256 x, uint256 y);
    /// @notice The circuit is registered: nothing can change it.
    error AlreadyRegistered(bytes32 digest);
    /// @notice No circuit has this digest.
    error UnknownCircuit(bytes32 digest);
    /// @notice The code at the verifier's address is no longer the one the digest pins.
    error VerifierChanged(bytes32 digest, address verifier);
    /// @notice A list or the proof has not exactly the length that the circuit fixes.
    error WrongInputLength(uint256 given, uint256 expected);
    /// @notice The proof speaks of another commitment in this slot.
    error CommitmentMismatch(uint256 slot);
    /// @notice A public number is not below the field's modulus.
    error NotAFieldElement(uint256 index, uint256 value);
    /// @notice The merged mask names a slot that is absent or that the circuit does not have.
    error InvalidMerged(uint256 merged);
    /// @notice The circuit's verifier reverted or answered anything but true.
    error ProofRejected(address verifier);

    /// @notice Registers a circuit under its digest, for good. Open to anyone: the digest is all that names it.
    /// @return digest keccak256(abi.encode(verifier.codehash, slots, length, proofLength, zero.x, zero.y)), words all.
    function register(Circuit calldata circuit) external returns (bytes32 digest);

    /// @notice The circuit of a digest; all zero where none is registered.
    function circuitOf(bytes32 digest) external view returns (Circuit memory);

    /// @notice Reverts unless `proof` shows that `gram` is the Gram matrix of the updates behind `commitments`.
    /// @param circuit Digest of a registered circuit.
    /// @param commitments First 31 bytes of keccak256(x, y) by slot; 0: absent, C_0 expected.
    /// @param merged Mask of the slots whose updates the model takes up.
    /// @param model Commitment of the model before the round.
    /// @param gram Upper triangle row by row, field elements.
    /// @param proof ezkl's proof; bytes [64i, 64i + 64) are the commitment of slot i.
    /// @return moved `model` + the sum over merged of (C_i - C_0).
    function verify(
        bytes32 circuit,
        bytes31[] calldata commitments,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata proof
    ) external view returns (G1 memory moved);
}
