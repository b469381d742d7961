// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1, G2} from "../libraries/BN254.sol";

/// @notice A circuit of shape (slots, length) and the SRS that its commitments are made with, pinned by its digest.
struct Circuit {
    address verifier; // ezkl's generated verifier
    uint8 slots; // inputs of the circuit, at most 16
    uint8 logrows; // columns have 2^logrows rows
    uint32 length; // d, integers in a vector
    uint32 proofLength; // bytes
    G1 zero; // C_0, commitment of the zero vector
    G2 tau; // [tau]G2 of the SRS
}

/// @title Ties proofs and openings to commitments and to a pinned circuit
interface IGramVerifier {
    /// @notice A circuit can now be named by projects.
    event CircuitRegistered(bytes32 indexed digest, address indexed verifier, uint256 slots, uint256 length);

    /// @notice The verifier's address has no code.
    error NoCode(address verifier);
    /// @notice A number of the circuit is out of range: slots 1 to 16, logrows 1 to 28, length 1 to 2^logrows, room for
    /// a point a slot.
    error InvalidCircuit(uint256 slots, uint256 logrows, uint256 length, uint256 proofLength);
    /// @notice The commitment of the zero vector is not on the curve.
    error InvalidZero(uint256 x, uint256 y);
    /// @notice [tau]G2 is not in the group, or is its identity.
    error InvalidTau();
    /// @notice The circuit is registered: nothing can change it.
    error AlreadyRegistered(bytes32 digest);
    /// @notice No circuit has this digest.
    error UnknownCircuit(bytes32 digest);
    /// @notice The code at the verifier's address is no longer the one the digest pins.
    error VerifierChanged(bytes32 digest, address verifier);
    /// @notice A list, the proof or a packed vector has not exactly the length that the circuit fixes.
    error WrongInputLength(uint256 given, uint256 expected);
    /// @notice This absent slot does not hold C_0.
    error CommitmentMismatch(uint256 slot);
    /// @notice A public number is not below the field's modulus.
    error NotAFieldElement(uint256 index, uint256 value);
    /// @notice The merged mask names a slot that is absent or that the circuit does not have.
    error InvalidMerged(uint256 merged);
    /// @notice The circuit's verifier reverted or answered anything but true.
    error ProofRejected(address verifier);
    /// @notice Integers are packed in 2 or 4 bytes each.
    error InvalidWidth(uint256 width);
    /// @notice The vector is not the one behind the commitment, or the opening's proof does not show it.
    error OpeningRejected();

    /// @notice Registers a circuit under its digest, for good. Open to anyone: the digest is all that names it.
    /// @return digest keccak256(abi.encode(verifier.codehash, slots, logrows, length, proofLength, zero.x, zero.y,
    /// tau.xImaginary, tau.xReal, tau.yImaginary, tau.yReal)), words all.
    function register(Circuit calldata circuit) external returns (bytes32 digest);

    /// @notice The circuit of a digest; all zero where none is registered.
    function circuitOf(bytes32 digest) external view returns (Circuit memory);

    /// @notice Reverts unless `proof` shows that `gram` is the Gram matrix of the updates behind the commitments in its
    /// first 64 * slots bytes, and the slots that are not `present` hold C_0.
    /// @dev That the present slots hold what the trainers submitted is for the caller to compare.
    /// @param circuit Digest of a registered circuit.
    /// @param present Mask of the slots that hold an update.
    /// @param merged Mask of the slots whose updates the model takes up, all of them present.
    /// @param model Commitment of the model before the round.
    /// @param gram Upper triangle row by row, field elements.
    /// @param proof ezkl's proof; bytes [64i, 64i + 64) are the commitment C_i of slot i.
    /// @return moved `model` + the sum over merged of (C_i - C_0).
    function verify(
        bytes32 circuit,
        uint256 present,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata proof
    ) external view returns (G1 memory moved);

    /// @notice `verify` without the proof: the same checks of everything around it, and the same move.
    /// @dev Points that are not merged are not checked to be on the curve; a proof of the same statement is.
    /// @param commitments The first 64 * slots bytes of a proof, and no more.
    function move(
        bytes32 circuit,
        uint256 present,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata commitments
    ) external view returns (G1 memory moved);

    /// @notice Reverts unless `packed` is the vector behind `commitment`.
    /// @param circuit Digest of the registered circuit that the commitment was made with.
    /// @param width Bytes of an integer: 2 or 4.
    /// @param packed Exactly length * width bytes: signed integers, little-endian, two's complement.
    /// @param proof The KZG quotient's commitment (contracts/libraries/KzgOpening.sol).
    /// @return normSquared The sum of the integers' squares.
    function open(
        bytes32 circuit,
        G1 calldata commitment,
        uint256 width,
        bytes calldata packed,
        G1 calldata proof
    ) external view returns (uint256 normSquared);

    /// @notice `open` for a chunk of a vector: reverts unless `packed` is the chunk behind `commitment`.
    /// @param packed `width` bytes an integer; at least one, and no more than 2^logrows - 6, the rows that are free.
    /// @return normSquared The sum of the integers' squares.
    function openChunk(
        bytes32 circuit,
        G1 calldata commitment,
        uint256 width,
        bytes calldata packed,
        G1 calldata proof
    ) external view returns (uint256 normSquared);

    /// @notice Reverts unless the polynomial behind `commitment` has value `y` at `z`.
    /// @param z Whoever calls chooses it after the commitment is fixed, or the opening shows nothing.
    function openAt(bytes32 circuit, G1 calldata commitment, uint256 z, uint256 y, G1 calldata proof) external view;

    /// @notice C_0 of a registered circuit.
    function zeroOf(bytes32 circuit) external view returns (G1 memory);
}
