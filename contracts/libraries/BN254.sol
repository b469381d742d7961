// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A point of BN254's G1 in affine coordinates.
struct G1 {
    uint256 x;
    uint256 y;
}

/// @notice A point of BN254's G2 in affine coordinates, in the order of EIP-197: imaginary parts first.
struct G2 {
    uint256 xImaginary;
    uint256 xReal;
    uint256 yImaginary;
    uint256 yReal;
}

/// @title Arithmetic on BN254 through the precompiles of EIP-196, EIP-197 and EIP-198
/// @dev The precompiles refuse coordinates that are not reduced and points that are not on the curve; the identity,
/// written (0, 0), they accept.
library BN254 {
    /// @notice Order of G1 and G2: the field in which the proof's numbers live.
    uint256 internal constant SCALAR_MODULUS =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @notice Modulus of the coordinates.
    uint256 internal constant BASE_MODULUS =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    uint256 private constant MODEXP = 5;
    uint256 private constant EC_ADD = 6;
    uint256 private constant EC_MUL = 7;
    uint256 private constant PAIRING = 8;

    // The generator of G2 (EIP-197).
    uint256 private constant G2_X_IMAGINARY = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 private constant G2_X_REAL = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 private constant G2_Y_IMAGINARY = 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b;
    uint256 private constant G2_Y_REAL = 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa;

    /// @notice A precompile refused its input: a point is not on the curve.
    error CurveOperationFailed(address precompile);

    /// @notice Whether both coordinates are reduced and y^2 = x^3 + 3. False for (0, 0).
    function isOnCurve(G1 memory point) internal pure returns (bool) {
        if (point.x >= BASE_MODULUS || point.y >= BASE_MODULUS) return false;
        uint256 cube = mulmod(mulmod(point.x, point.x, BASE_MODULUS), point.x, BASE_MODULUS);
        return mulmod(point.y, point.y, BASE_MODULUS) == addmod(cube, 3, BASE_MODULUS);
    }

    /// @notice a + b.
    function add(G1 memory a, G1 memory b) internal view returns (G1 memory sum) {
        uint256[4] memory input = [a.x, a.y, b.x, b.y];
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), EC_ADD, input, 0x80, sum, 0x40)
        }
        if (!ok) revert CurveOperationFailed(address(uint160(EC_ADD)));
    }

    /// @notice Adds in place, without new memory: the point in the first two words becomes its sum with the other one.
    function accumulate(uint256[4] memory terms) internal view {
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), EC_ADD, terms, 0x80, terms, 0x40)
        }
        if (!ok) revert CurveOperationFailed(address(uint160(EC_ADD)));
    }

    /// @notice factor * a.
    function mul(G1 memory a, uint256 factor) internal view returns (G1 memory product) {
        uint256[3] memory input = [a.x, a.y, factor];
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), EC_MUL, input, 0x60, product, 0x40)
        }
        if (!ok) revert CurveOperationFailed(address(uint160(EC_MUL)));
    }

    /// @notice -a.
    function negate(G1 memory a) internal pure returns (G1 memory) {
        return G1(a.x, a.y == 0 ? 0 : BASE_MODULUS - a.y);
    }

    /// @notice Whether e(a, G2) * e(b, c) = 1, with G2 the generator. Reverts for points outside their groups.
    function pairsToOne(G1 memory a, G1 memory b, G2 memory c) internal view returns (bool) {
        uint256[12] memory input = [
            a.x,
            a.y,
            G2_X_IMAGINARY,
            G2_X_REAL,
            G2_Y_IMAGINARY,
            G2_Y_REAL,
            b.x,
            b.y,
            c.xImaginary,
            c.xReal,
            c.yImaginary,
            c.yReal
        ];
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), PAIRING, input, 0x180, input, 0x20)
        }
        if (!ok) revert CurveOperationFailed(address(uint160(PAIRING)));
        return input[0] == 1;
    }

    /// @notice Whether `point` is in G2, of order SCALAR_MODULUS, and not its identity.
    function isInG2(G2 memory point) internal view returns (bool) {
        if (point.xImaginary | point.xReal | point.yImaginary | point.yReal == 0) return false;
        // The precompile checks the point, whatever it is paired with.
        uint256[6] memory input = [0, 0, point.xImaginary, point.xReal, point.yImaginary, point.yReal];
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), PAIRING, input, 0xc0, input, 0x20)
        }
        return ok;
    }

    /// @notice 1 / a in the scalar field, by Fermat's little theorem; 0 for 0.
    function invert(uint256 a) internal view returns (uint256) {
        uint256[6] memory input = [32, 32, 32, a, SCALAR_MODULUS - 2, SCALAR_MODULUS];
        bool ok;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            ok := staticcall(gas(), MODEXP, input, 0xc0, input, 0x20)
        }
        if (!ok) revert CurveOperationFailed(address(uint160(MODEXP)));
        return input[0];
    }
}
