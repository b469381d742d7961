// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit, IGramVerifier} from "./interfaces/IGramVerifier.sol";
import {IEzklVerifier} from "./interfaces/IEzklVerifier.sol";
import {BitMask} from "./libraries/BitMask.sol";
import {BN254, G1} from "./libraries/BN254.sol";
import {KzgOpening} from "./libraries/KzgOpening.sol";

/// @title GramVerifier
/// @notice Holds the registered circuits. A circuit is named by a digest of its verifier's code, its shape and its SRS,
/// so whoever knows the digest knows what is proved; nobody owns the registry.
contract GramVerifier is IGramVerifier {
    using BitMask for uint256;

    struct Entry {
        Circuit circuit;
        bytes32 codeHash; // of the verifier, as in the digest
    }

    uint256 private constant MAX_SLOTS = 16;
    uint256 private constant MAX_LOGROWS = 28;
    uint256 private constant POINT_BYTES = 64;
    uint256 private constant KEPT_ROWS = 6; // at a column's end: ezkl puts ones there

    mapping(bytes32 digest => Entry) private _entries;

    /// @inheritdoc IGramVerifier
    function register(Circuit calldata circuit) external override returns (bytes32 digest) {
        if (circuit.verifier.code.length == 0) revert NoCode(circuit.verifier);
        if (
            circuit.slots == 0 ||
            circuit.slots > MAX_SLOTS ||
            circuit.logrows == 0 ||
            circuit.logrows > MAX_LOGROWS ||
            circuit.length == 0 ||
            circuit.length > 1 << circuit.logrows ||
            circuit.proofLength < circuit.slots * POINT_BYTES
        ) revert InvalidCircuit(circuit.slots, circuit.logrows, circuit.length, circuit.proofLength);
        if (!BN254.isOnCurve(circuit.zero)) revert InvalidZero(circuit.zero.x, circuit.zero.y);
        if (!BN254.isInG2(circuit.tau)) revert InvalidTau();
        bytes32 codeHash = circuit.verifier.codehash;
        digest = keccak256(
            abi.encode(
                codeHash,
                circuit.slots,
                circuit.logrows,
                circuit.length,
                circuit.proofLength,
                circuit.zero,
                circuit.tau
            )
        );
        if (_entries[digest].codeHash != 0) revert AlreadyRegistered(digest);
        _entries[digest].circuit = circuit;
        _entries[digest].codeHash = codeHash;
        emit CircuitRegistered(digest, circuit.verifier, circuit.slots, circuit.length);
    }

    /// @inheritdoc IGramVerifier
    function circuitOf(bytes32 digest) external view override returns (Circuit memory) {
        return _entries[digest].circuit;
    }

    /// @inheritdoc IGramVerifier
    function verify(
        bytes32 circuit,
        uint256 present,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata proof
    ) external view override returns (G1 memory moved) {
        Circuit storage known = _known(circuit);
        address verifier = known.verifier;
        // The code at an address can change (EIP-7702 delegations do): the digest pins what runs now.
        if (verifier.codehash != _entries[circuit].codeHash) revert VerifierChanged(circuit, verifier);
        _requireLength(proof.length, known.proofLength);
        moved = _move(known, present, merged, model, gram, proof);
        _requireProof(verifier, gram, proof);
    }

    /// @inheritdoc IGramVerifier
    function move(
        bytes32 circuit,
        uint256 present,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata commitments
    ) external view override returns (G1 memory moved) {
        Circuit storage known = _known(circuit);
        _requireLength(commitments.length, known.slots * POINT_BYTES);
        return _move(known, present, merged, model, gram, commitments);
    }

    /// @inheritdoc IGramVerifier
    function open(
        bytes32 circuit,
        G1 calldata commitment,
        uint256 width,
        bytes calldata packed,
        G1 calldata proof
    ) external view override returns (uint256 normSquared) {
        Circuit memory known = _known(circuit);
        if (width != 2 && width != 4) revert InvalidWidth(width);
        _requireLength(packed.length, known.length * width);
        return _open(circuit, known, commitment, width, packed, proof);
    }

    /// @inheritdoc IGramVerifier
    function openChunk(
        bytes32 circuit,
        G1 calldata commitment,
        uint256 width,
        bytes calldata packed,
        G1 calldata proof
    ) external view override returns (uint256 normSquared) {
        Circuit memory known = _known(circuit);
        if (width != 2 && width != 4) revert InvalidWidth(width);
        uint256 most = 1 << known.logrows;
        most = most > KEPT_ROWS ? (most - KEPT_ROWS) * width : 0;
        if (packed.length == 0 || packed.length % width != 0 || packed.length > most) {
            revert WrongInputLength(packed.length, most);
        }
        return _open(circuit, known, commitment, width, packed, proof);
    }

    /// @inheritdoc IGramVerifier
    function openAt(
        bytes32 circuit,
        G1 calldata commitment,
        uint256 z,
        uint256 y,
        G1 calldata proof
    ) external view override {
        _requireOpening(_known(circuit), commitment, z, y, proof);
    }

    /// @inheritdoc IGramVerifier
    function zeroOf(bytes32 circuit) external view override returns (G1 memory) {
        return _known(circuit).zero;
    }

    function _open(
        bytes32 circuit,
        Circuit memory known,
        G1 calldata commitment,
        uint256 width,
        bytes calldata packed,
        G1 calldata proof
    ) private view returns (uint256 normSquared) {
        uint256 z = KzgOpening.challenge(circuit, commitment, packed);
        uint256 y;
        (y, normSquared) = KzgOpening.evaluate(packed, width, known.logrows, z);
        _requireOpening(known, commitment, z, y, proof);
    }

    function _requireOpening(
        Circuit memory known,
        G1 calldata commitment,
        uint256 z,
        uint256 y,
        G1 calldata proof
    ) private view {
        G1 memory difference = BN254.add(commitment, BN254.negate(known.zero));
        if (!KzgOpening.holds(difference, z, y, proof, known.tau)) revert OpeningRejected();
    }

    function _known(bytes32 circuit) private view returns (Circuit storage known) {
        known = _entries[circuit].circuit;
        if (known.verifier == address(0)) revert UnknownCircuit(circuit);
    }

    /// @dev model + the sum over merged of (C_i - C_0), once masks, lengths, absent slots and numbers are right.
    function _move(
        Circuit storage known,
        uint256 present,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata commitments
    ) private view returns (G1 memory moved) {
        uint256 slots = known.slots;
        G1 memory zero = known.zero;
        if (!merged.isWithin(present) || merged >> slots != 0) revert InvalidMerged(merged);
        _requireLength(gram.length, (slots * (slots + 1)) / 2);
        _requireFieldElements(gram);
        G1 memory minusZero = BN254.negate(zero);
        uint256[4] memory terms = [model.x, model.y, 0, 0];
        for (uint256 i = 0; i < slots; ++i) {
            if (merged.has(i)) {
                (terms[2], terms[3]) = _point(commitments, i);
                BN254.accumulate(terms);
                (terms[2], terms[3]) = (minusZero.x, minusZero.y);
                BN254.accumulate(terms);
            } else if (!present.has(i)) {
                (uint256 x, uint256 y) = _point(commitments, i);
                if (x != zero.x || y != zero.y) revert CommitmentMismatch(i);
            }
        }
        return G1(terms[0], terms[1]);
    }

    function _requireFieldElements(uint256[] calldata numbers) private pure {
        uint256 order = BN254.SCALAR_MODULUS;
        uint256 at;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let end := add(numbers.offset, shl(5, numbers.length))
            for {
                at := numbers.offset
            } lt(at, end) {
                at := add(at, 0x20)
            } {
                if iszero(lt(calldataload(at), order)) {
                    break
                }
            }
            at := shr(5, sub(at, numbers.offset))
        }
        if (at != numbers.length) revert NotAFieldElement(at, numbers[at]);
    }

    /// @dev Any answer but a clean `true` ends in one error of ours.
    function _requireProof(address verifier, uint256[] calldata gram, bytes calldata proof) private view {
        bytes4 selector = IEzklVerifier.verifyProof.selector;
        bool accepted;
        // The call is laid out by hand: the compiler would copy the numbers one by one.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            let padded := and(add(proof.length, 0x1f), not(0x1f))
            let list := add(input, add(0x64, padded)) // of the numbers
            mstore(input, selector)
            mstore(add(input, 0x04), 0x40)
            mstore(add(input, 0x24), add(0x60, padded))
            mstore(add(input, 0x44), proof.length)
            mstore(sub(list, 0x20), 0) // the padding, before the proof covers what it needs
            calldatacopy(add(input, 0x64), proof.offset, proof.length)
            mstore(list, gram.length)
            calldatacopy(add(list, 0x20), gram.offset, shl(5, gram.length))
            let size := add(sub(list, input), shl(5, add(gram.length, 1)))
            accepted := staticcall(gas(), verifier, input, size, 0x00, 0x20)
            accepted := and(accepted, and(eq(returndatasize(), 0x20), eq(mload(0x00), 1)))
        }
        if (!accepted) revert ProofRejected(verifier);
    }

    /// @dev C_slot; the caller has checked the length.
    function _point(bytes calldata commitments, uint256 slot) private pure returns (uint256 x, uint256 y) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let at := add(commitments.offset, shl(6, slot))
            x := calldataload(at)
            y := calldataload(add(at, 0x20))
        }
    }

    function _requireLength(uint256 given, uint256 expected) private pure {
        if (given != expected) revert WrongInputLength(given, expected);
    }
}
