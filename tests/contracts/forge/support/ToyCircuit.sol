// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit} from "../../../../contracts/interfaces/IGramVerifier.sol";
import {Opening} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1, G2} from "../../../../contracts/libraries/BN254.sol";
import {AcceptingVerifier} from "./AcceptingVerifier.sol";
import {Points} from "./Points.sol";

/// @notice Circuits with d = 4 over eight rows, an SRS whose secret is known (tau = 7), and a verifier that accepts
/// everything: commitments and openings are real, proofs are not looked at.
contract ToyCircuit {
    uint256 private constant R = BN254.SCALAR_MODULUS;
    uint256 private constant TAU = 7;
    uint256 private constant ROWS = 8;
    uint256 private constant OMEGA = 0x2b337de1c8c14f22ec9b9e2f96afef3652627366f8170a0a948dad4ac1bd5e80;
    uint256 private constant ZERO = 1000; // C_0 as a multiple of the generator
    uint256 public constant LENGTH = 4;

    AcceptingVerifier private immutable _verifier = new AcceptingVerifier();

    function circuit(uint8 slots) external view returns (Circuit memory) {
        G2 memory tau = G2({
            xImaginary: 0x2903ba015a9abde26a5d081e84551e63be0fd4516e46ee6d593edeba46362455,
            xReal: 0x224bdc5d4327fcf8ed702e01de1c2f1657a253ba75e32a89c390142aaa28b308,
            yImaginary: 0x03c8b7cda6b2dedb7aeeaf5fda464ad17036bea1c4e6f7adbaed1ebe0335e0d8,
            yReal: 0x1d92fff52a265017eeccb372e37d7a7bd431800eca28dfd82e21e8054114233f
        });
        return Circuit(address(_verifier), slots, 3, uint32(LENGTH), uint32(uint256(slots) * 64 + 32), zero(), tau);
    }

    function zero() public view returns (G1 memory) {
        return Points.multiple(ZERO);
    }

    /// @notice A vector for each seed, of int16.
    function vector(uint256 seed) external pure returns (int256[] memory v) {
        v = new int256[](LENGTH);
        for (uint256 j = 0; j < LENGTH; ++j) v[j] = int256((seed * 31 + j * 17) % 201) - 100;
    }

    function commitment(int256[] calldata v) external view returns (G1 memory) {
        return Points.multiple(addmod(ZERO, _at(v, TAU), R));
    }

    function pack(int256[] calldata v, uint256 width) public pure returns (bytes memory packed) {
        for (uint256 j = 0; j < v.length; ++j) {
            for (uint256 b = 0; b < width; ++b) packed = abi.encodePacked(packed, uint8(uint256(v[j] >> (8 * b))));
        }
    }

    /// @notice The opening of `v`'s commitment, as the contract asks for it.
    function open(bytes32 circuit_, int256[] calldata v, uint256 width) external view returns (Opening memory) {
        G1 memory c = this.commitment(v);
        bytes memory packed = pack(v, width);
        uint256 z = uint256(keccak256(abi.encode(circuit_, c.x, c.y, keccak256(packed)))) % R;
        uint256 rise = addmod(_at(v, TAU), R - _at(v, z), R);
        return Opening(packed, Points.multiple(mulmod(rise, BN254.invert(addmod(TAU, R - z, R)), R)));
    }

    /// @dev The polynomial through v, at z: the textbook formula, term by term.
    function _at(int256[] calldata v, uint256 z) private view returns (uint256 value) {
        uint256 power = mulmod(mulmod(z, z, R), mulmod(z, z, R), R);
        uint256 outer = mulmod(addmod(mulmod(power, power, R), R - 1, R), BN254.invert(ROWS), R);
        uint256 root = 1;
        for (uint256 j = 0; j < v.length; ++j) {
            uint256 term = mulmod(mulmod(outer, root, R), BN254.invert(addmod(z, R - root, R)), R);
            uint256 entry = v[j] < 0 ? R - uint256(-v[j]) : uint256(v[j]);
            value = addmod(value, mulmod(entry, term, R), R);
            root = mulmod(root, OMEGA, R);
        }
    }
}
