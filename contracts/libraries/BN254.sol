// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A point of BN254's G1 in affine coordinates.
struct G1 {
    uint256 x;
    uint256 y;
}

/// @title Arithmetic on BN254's G1 through the precompiles of EIP-196
/// @dev Points that callers hand in are affine and on the curve; the identity, written (0, 0), is not accepted as one.
library BN254 {
    /// @notice Order of G1: the field in which the proof's numbers live.
    uint256 internal constant SCALAR_MODULUS =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @notice Modulus of the coordinates.
    uint256 internal constant BASE_MODULUS =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    address private constant EC_ADD = address(6);
    address private constant EC_MUL = address(7);

    /// @notice A precompile refused its input: a point is not on the curve.
    error CurveOperationFailed(address precompile);

    /// @notice Whether both coordinates are reduced and y^2 = x^3 + 3. False for (0, 0).
    function isOnCurve(G1 memory point) internal pure returns (bool) {
        if (point.x >= BASE_MODULUS || point.y >= BASE_MODULUS) return false;
        uint256 cube = mulmod(mulmod(point.x, point.x, BASE_MODULUS), point.x, BASE_MODULUS);
        return mulmod(point.y, point.y, BASE_MODULUS) == addmod(cube, 3, BASE_MODULUS);
    }

    /// @notice a + b.
    function add(G1 memory a, G1 memory b) internal view returns (G1 memory) {
        return _call(EC_ADD, abi.encode(a.x, a.y, b.x, b.y));
    }

    /// @notice factor * a.
    function mul(G1 memory a, uint256 factor) internal view returns (G1 memory) {
        return _call(EC_MUL, abi.encode(a.x, a.y, factor));
    }

    /// @notice -a.
    function negate(G1 memory a) internal pure returns (G1 memory) {
        return G1(a.x, a.y == 0 ? 0 : BASE_MODULUS - a.y);
    }

    /// @notice First 31 bytes of keccak256(x, y): a point's name in storage, where it shares a slot with one byte.
    function digest(G1 memory point) internal pure returns (bytes31) {
        return bytes31(keccak256(abi.encode(point.x, point.y)));
    }

    function _call(address precompile, bytes memory input) private view returns (G1 memory) {
        // A precompile has no Solidity interface. It answers 64 bytes, or nothing where it refuses.
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory output) = precompile.staticcall(input);
        if (!ok || output.length != 64) revert CurveOperationFailed(precompile);
        return abi.decode(output, (G1));
    }
}
