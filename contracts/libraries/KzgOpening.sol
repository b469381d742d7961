// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BN254, G1, G2} from "./BN254.sol";

/// @title Whether a vector of integers is the one behind a commitment
/// @notice A commitment is C = C_0 + sum_j v_j [L_j(tau)]: L_j is the Lagrange polynomial that is 1 at omega^j and 0 at
/// the other 2^k-th roots of unity (halo2's basis; docs/proof.md). So C - C_0 is the KZG commitment of the one
/// polynomial p of degree below 2^k with p(omega^j) = v_j for j < d and 0 for the other rows. Two steps:
///
/// 1. *Which p is it?* At a challenge z that depends on C and on the whole vector, the contract computes y = p(z) from
///    the vector, and asks for a KZG opening of C - C_0 at z to y (Kate, Zaverucha, Goldberg: Constant-Size Commitments
///    to Polynomials, ASIACRYPT 2010, section 3.2). Whoever made C knew a polynomial f behind it before z was fixed (the
///    algebraic group model), of a degree D below the length of the SRS; f differs from p and still has f(z) = p(z) for at
///    most D of the 2^254 values of z (Schwartz and Zippel). So f = p, in every row: the rows from d on are zero as well.
/// 2. *What is p(z)?* The barycentric formula: with n = 2^k,
///    p(z) = (z^n - 1) / n * sum_j v_j omega^j / (z - omega^j) = (z^n - 1) / n * sum_j v_j / (z omega^-j - 1).
///    The sum is carried along as one fraction, so that there is one inversion in all and no memory is used.
library KzgOpening {
    /// @dev BN254.SCALAR_MODULUS, which assembly cannot name.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant TWO_ADICITY = 28; // 2^28 divides R - 1 and 2^29 does not
    /// @dev 1 / omega for 2^28 rows; halo2curves' bn256::Fr::ROOT_OF_UNITY_INV. Its squares serve smaller domains.
    uint256 private constant ROOT_OF_UNITY_INVERSE = 0x048127174daabc261bbe587180f34361b22625f59115aba70ed3e50a414e6dba;

    /// @notice The challenge z of an opening.
    function challenge(bytes32 circuit, G1 memory commitment, bytes calldata packed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(circuit, commitment.x, commitment.y, keccak256(packed)))) % R;
    }

    /// @notice p(z) of the packed vector and the sum of its squares, over the integers.
    /// @param packed Little-endian two's complement integers of `width` bytes, 2 or 4; no more than 2^logrows.
    function evaluate(
        bytes calldata packed,
        uint256 width,
        uint256 logrows,
        uint256 z
    ) internal view returns (uint256 value, uint256 normSquared) {
        uint256 step = ROOT_OF_UNITY_INVERSE;
        for (uint256 k = logrows; k < TWO_ADICITY; ++k) step = mulmod(step, step, R);
        uint256 numerator;
        uint256 denominator;
        (numerator, denominator, normSquared) = _sum(packed, width, step, z);
        uint256 power = z;
        for (uint256 k = 0; k < logrows; ++k) power = mulmod(power, power, R);
        // z is a root of unity with probability 2^(logrows - 254): then there is no answer, rather than a wrong one.
        uint256 inverse = BN254.invert(mulmod(denominator, 1 << logrows, R));
        assert(inverse != 0);
        value = mulmod(mulmod(numerator, inverse, R), addmod(power, R - 1, R), R);
    }

    /// @notice Whether the polynomial behind `difference` = C - C_0 has value y at z.
    /// @dev e(C - C_0 - y G1 + z pi, G2) = e(pi, [tau]G2), which says (p(tau) - y) = pi * (tau - z) in the exponent.
    function holds(
        G1 memory difference,
        uint256 z,
        uint256 y,
        G1 memory proof,
        G2 memory tau
    ) internal view returns (bool) {
        G1 memory left = BN254.add(difference, BN254.mul(G1(1, 2), y == 0 ? 0 : R - y));
        return BN254.pairsToOne(BN254.add(left, BN254.mul(proof, z)), BN254.negate(proof), tau);
    }

    /// @dev sum_j v_j / (u_j - 1) as numerator / denominator, where u_j = z * step^j.
    function _sum(
        bytes calldata packed,
        uint256 width,
        uint256 step,
        uint256 z
    ) private pure returns (uint256 numerator, uint256 denominator, uint256 normSquared) {
        denominator = 1;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let bits := shl(3, width)
            let top := sub(width, 1) // signextend's name for the width
            let u := z
            let end := add(packed.offset, packed.length)
            for { let at := packed.offset } lt(at, end) { at := add(at, 0x20) } {
                // 32 / width integers at a time: swap the bytes of each, so that shifts bring them out.
                let word := calldataload(at)
                word := or(
                    and(shr(8, word), 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff),
                    shl(8, and(word, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff))
                )
                if eq(width, 4) {
                    word := or(
                        and(shr(16, word), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff),
                        shl(16, and(word, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff))
                    )
                }
                let left := mul(sub(end, at), 8)
                if gt(left, 256) { left := 256 }
                let last := sub(256, left)
                for { let shift := 256 } gt(shift, last) {} {
                    shift := sub(shift, bits)
                    let v := signextend(top, shr(shift, word))
                    normSquared := add(normSquared, mul(v, v))
                    let factor := add(u, sub(R, 1)) // u - 1, not reduced: below 2 R
                    // Both terms are below R, so their sum needs no reduction before the next product.
                    numerator := add(mulmod(numerator, factor, R), mulmod(add(v, R), denominator, R))
                    denominator := mulmod(denominator, factor, R)
                    u := mulmod(u, step, R)
                }
            }
        }
    }
}
