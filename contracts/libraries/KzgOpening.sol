// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BN254, G1, G2} from "./BN254.sol";

/// @title Whether a vector of integers is the one behind a commitment
/// @notice A commitment is C = C_0 + sum_j v_j [L_j(tau)]: L_j is the Lagrange polynomial that is 1 at omega^j and 0 at
/// the other 2^k-th roots of unity (halo2's basis; docs/proof.md). So C - C_0 is the KZG commitment of the one
/// polynomial p of degree below 2^k with p(omega^j) = v_j for j < d and 0 for the other rows. Two steps:
///
/// 1. *Which p is it?* At a challenge z that depends on C and on the whole vector, the contract computes y = p(z) from
///    the vector, and asks for a KZG opening of C - C_0 at z to y (Kate, Zaverucha, Goldberg: Constant-Size
///    Commitments to Polynomials, ASIACRYPT 2010, section 3.2). In the algebraic group model whoever made C - C_0 knew
///    a polynomial f behind it before z was fixed, of a degree D below the length of the SRS, and an opening that
///    passes shows f(z) = y, or gives tau away. f differs from p and still has f(z) = p(z) for at most D of 2^254
///    values of z (Schwartz and Zippel). So f = p, in every row: the rows from d on hold zero.
/// 2. *What is p(z)?* The barycentric formula: with n = 2^k,
///    p(z) = (z^n - 1) / n * sum_j v_j omega^j / (z - omega^j) = (z^n - 1) / n * sum_j v_j / (z omega^-j - 1).
///    The sum is carried along as one fraction, so that there is one inversion in all and no memory is used.
library KzgOpening {
    uint256 private constant R = BN254.SCALAR_MODULUS;
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
        uint256 numerator;
        uint256 denominator;
        (numerator, denominator, normSquared) = _sum(packed, 8 * width, _step(logrows), z - 1, R);
        value = _value(numerator, denominator, logrows, z);
    }

    /// @notice p(z) of integers that are not packed: no more than 2^logrows, each between -R and R.
    function evaluateList(int256[] memory numbers, uint256 logrows, uint256 z) internal view returns (uint256) {
        (uint256 numerator, uint256 denominator) = _sumList(numbers, _step(logrows), z - 1, R);
        return _value(numerator, denominator, logrows, z);
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

    /// @dev 1 / omega of the domain.
    function _step(uint256 logrows) private pure returns (uint256 step) {
        step = ROOT_OF_UNITY_INVERSE;
        for (uint256 k = logrows; k < TWO_ADICITY; ++k) step = mulmod(step, step, R);
    }

    /// @dev (z^n - 1) / n times the sum.
    function _value(uint256 numerator, uint256 denominator, uint256 logrows, uint256 z) private view returns (uint256) {
        uint256 power = z;
        for (uint256 k = 0; k < logrows; ++k) power = mulmod(power, power, R);
        // z = 0 and roots of unity, which no keccak will ever give, have no answer here, rather than a wrong one.
        uint256 inverse = BN254.invert(mulmod(denominator, 1 << logrows, R));
        assert(inverse != 0);
        return mulmod(mulmod(numerator, inverse, R), addmod(power, R - 1, R), R);
    }

    /// @dev `_sum` of a list.
    function _sumList(
        int256[] memory numbers,
        uint256 step,
        uint256 factor,
        uint256 order
    ) private pure returns (uint256 numerator, uint256 denominator) {
        denominator = 1;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let end := add(add(numbers, 0x20), shl(5, mload(numbers)))
            for {
                let at := add(numbers, 0x20)
            } lt(at, end) {
                at := add(at, 0x20)
            } {
                numerator := add(mulmod(numerator, factor, order), mulmod(add(mload(at), order), denominator, order))
                denominator := mulmod(denominator, factor, order)
                factor := sub(mulmod(add(factor, 1), step, order), 1)
            }
        }
    }

    /// @dev sum_j v_j / factor_j as numerator / denominator, where factor_j = z * step^j - 1; `factor` is the first.
    /// `order`, which is R, lives on the stack: as a literal it would be copied from the code again and again.
    function _sum(
        bytes calldata packed,
        uint256 bits,
        uint256 step,
        uint256 factor,
        uint256 order
    ) private pure returns (uint256 numerator, uint256 denominator, uint256 normSquared) {
        denominator = 1;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let pad := sub(256, bits)
            for {} packed.length {} {
                // A word holds 256 / bits integers. Swap the bytes of each, so that the first are at the top.
                let word := calldataload(packed.offset)
                word := or(
                    and(shr(8, word), 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff),
                    shl(8, and(word, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff))
                )
                if eq(bits, 32) {
                    word := or(
                        and(shr(16, word), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff),
                        shl(16, and(word, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff))
                    )
                }
                packed.offset := add(packed.offset, 0x20)
                switch gt(packed.length, 0x20)
                case 1 {
                    packed.length := sub(packed.length, 0x20)
                }
                default {
                    // What follows in the calldata is not ours. Zeros do not change the sum.
                    let rest := sub(256, shl(3, packed.length))
                    word := shl(rest, shr(rest, word))
                    packed.length := 0
                }
                for {
                    let shift := 0
                } lt(shift, 256) {
                    shift := add(shift, bits)
                } {
                    let v := sar(pad, shl(shift, word))
                    normSquared := add(normSquared, mul(v, v))
                    // Both products are below R, so their sum needs no reduction before the next one.
                    numerator := add(mulmod(numerator, factor, order), mulmod(add(v, order), denominator, order))
                    denominator := mulmod(denominator, factor, order)
                    factor := sub(mulmod(add(factor, 1), step, order), 1)
                }
            }
        }
    }
}
