// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title What ezkl's generated verifier offers
interface IEzklVerifier {
    /// @notice Reverts, or answers false, unless the proof holds for the public numbers.
    function verifyProof(bytes calldata proof, uint256[] calldata instances) external view returns (bool);
}
