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

interface IGramVerifier {
    event CircuitRegistered(bytes32 indexed digest, address indexed verifier, uint256 slots, uint256 length);

    function register(Circuit calldata circuit) external returns (bytes32 digest);
    function circuitOf(bytes32 digest) external view returns (Circuit memory);
    /// Reverts unless `proof` shows that `gram` is the Gram matrix of the updates behind `commitments`
    /// (first 31 bytes of keccak256(x, y) by slot; 0: absent, C_0 expected); returns `model` moved by the merged slots.
    function verify(
        bytes32 circuit,
        bytes31[] calldata commitments,
        uint256 merged,
        G1 calldata model,
        uint256[] calldata gram,
        bytes calldata proof
    ) external view returns (G1 memory moved);
}
