// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit} from "../../../../contracts/interfaces/IGramVerifier.sol";
import {LeafPath} from "../../../../contracts/interfaces/ISketch.sol";
import {BN254, G1, G2} from "../../../../contracts/libraries/BN254.sol";
import {KzgOpening} from "../../../../contracts/libraries/KzgOpening.sol";
import {AcceptingVerifier} from "./AcceptingVerifier.sol";
import {Points} from "./Points.sol";

/// @notice ToyCircuit for vectors in chunks: an SRS whose secret is known (tau = 7), so that commitments and openings
/// are real, and a verifier that accepts everything. Sketches are computed as docs/sketch.md defines them, number by
/// number.
contract ToyChunks {
    uint256 private constant R = BN254.SCALAR_MODULUS;
    uint256 private constant TAU = 7;
    uint256 private constant ZERO = 1000; // C_0 as a multiple of the generator

    AcceptingVerifier private immutable _verifier = new AcceptingVerifier();
    uint256 public immutable logrows;
    uint256 public immutable width; // numbers of a sketch
    uint256 public immutable length; // of a chunk
    uint256 public immutable count; // of chunks

    constructor(uint256 logrows_, uint256 width_, uint256 length_, uint256 count_) {
        (logrows, width, length, count) = (logrows_, width_, length_, count_);
    }

    function circuit(uint8 slots) external view returns (Circuit memory) {
        G2 memory tau = G2({
            xImaginary: 0x2903ba015a9abde26a5d081e84551e63be0fd4516e46ee6d593edeba46362455,
            xReal: 0x224bdc5d4327fcf8ed702e01de1c2f1657a253ba75e32a89c390142aaa28b308,
            yImaginary: 0x03c8b7cda6b2dedb7aeeaf5fda464ad17036bea1c4e6f7adbaed1ebe0335e0d8,
            yReal: 0x1d92fff52a265017eeccb372e37d7a7bd431800eca28dfd82e21e8054114233f
        });
        uint32 proofLength = uint32(uint256(slots) * 64 + 32);
        return Circuit(address(_verifier), slots, uint8(logrows), uint32(width), proofLength, zero(), tau);
    }

    function zero() public view returns (G1 memory) {
        return Points.multiple(ZERO);
    }

    /// @notice A vector for each seed, of int16, all chunks of it.
    function vector(uint256 seed) public view returns (int256[] memory v) {
        v = new int256[](length * count);
        unchecked {
            for (uint256 t = 0; t < v.length; ++t) v[t] = int256((seed * 31 + t * (t + 17 * seed)) % 201) - 100;
        }
    }

    /// @notice The sum of the vectors of these seeds: a model, from the initial one and the updates that it took up.
    function total(uint256[] memory seeds) public view returns (int256[] memory v) {
        v = new int256[](length * count);
        for (uint256 i = 0; i < seeds.length; ++i) {
            int256[] memory w = vector(seeds[i]);
            unchecked {
                for (uint256 t = 0; t < v.length; ++t) v[t] += w[t];
            }
        }
    }

    function sum(int256[] calldata a, int256[] calldata b) external pure returns (int256[] memory c) {
        c = new int256[](a.length);
        for (uint256 t = 0; t < c.length; ++t) c[t] = a[t] + b[t];
    }

    /// @notice A chunk of `total`.
    function part(uint256[] calldata seeds, uint256 index) external view returns (int256[] memory) {
        return this.chunk(total(seeds), index);
    }

    /// @notice Points and hashes of the chunks of `total`, packed in `bytes_` a number.
    function leaves(uint256[] calldata seeds, uint256 bytes_) external view returns (LeafPath[] memory found) {
        int256[] memory v = total(seeds);
        found = new LeafPath[](count);
        for (uint256 j = 0; j < count; ++j) {
            int256[] memory piece = this.chunk(v, j);
            (found[j].point, found[j].hash) = (this.commitment(piece), keccak256(this.pack(piece, bytes_)));
        }
    }

    /// @notice The sketch of `total`.
    function sketchOf(uint256[] calldata seeds, bytes32 seed) external view returns (int256[] memory) {
        return this.sketch(total(seeds), seed, 0);
    }

    /// @notice The values at z of the polynomials of the sketches of the chunks of `total`.
    function values(uint256[] calldata seeds, bytes32 seed, uint256 z) external view returns (uint256[] memory found) {
        int256[] memory v = total(seeds);
        found = new uint256[](count);
        for (uint256 j = 0; j < count; ++j) {
            found[j] = KzgOpening.evaluateList(this.sketch(this.chunk(v, j), seed, (j * length) / width), logrows, z);
        }
    }

    function chunk(int256[] calldata v, uint256 index) external view returns (int256[] memory) {
        return v[index * length:(index + 1) * length];
    }

    function commitment(int256[] calldata v) external view returns (G1 memory) {
        return Points.multiple(addmod(ZERO, KzgOpening.evaluateList(v, logrows, TAU), R));
    }

    function pack(int256[] calldata v, uint256 bytes_) public pure returns (bytes memory packed) {
        packed = new bytes(v.length * bytes_);
        uint256 at = 0;
        unchecked {
            for (uint256 t = 0; t < v.length; ++t) {
                uint256 number = uint256(v[t]);
                for (uint256 b = 0; b < bytes_; ++b) {
                    packed[at++] = bytes1(uint8(number));
                    number >>= 8;
                }
            }
        }
    }

    /// @notice The opening of `v`'s commitment, as the contract asks for it.
    function open(bytes32 circuit_, int256[] calldata v, uint256 bytes_) external view returns (G1 memory proof) {
        G1 memory c = this.commitment(v);
        uint256 z = uint256(keccak256(abi.encode(circuit_, c.x, c.y, keccak256(pack(v, bytes_))))) % R;
        (, proof) = this.openAt(v, z);
    }

    function openAt(int256[] calldata v, uint256 z) external view returns (uint256 y, G1 memory proof) {
        y = KzgOpening.evaluateList(v, logrows, z);
        uint256 rise = addmod(KzgOpening.evaluateList(v, logrows, TAU), R - y, R);
        proof = Points.multiple(mulmod(rise, BN254.invert(addmod(TAU, R - z, R)), R));
    }

    /// @notice The sketch of a piece of a vector that begins with this block.
    function sketch(
        int256[] calldata v,
        bytes32 seed,
        uint256 firstBlock
    ) external view returns (int256[] memory sums) {
        sums = new int256[](width);
        (uint256 shift, uint256 signs) = (0, 0);
        for (uint256 t = 0; t < v.length; ++t) {
            (uint256 b, uint256 p) = (firstBlock + t / width, t % width);
            if (p == 0) shift = uint256(keccak256(abi.encode(seed, b, type(uint256).max))) % width;
            if (p % 256 == 0) signs = uint256(keccak256(abi.encode(seed, b, p / 256)));
            bool plus = signs % 2 == 1;
            signs /= 2;
            sums[(p + shift) % width] += plus ? v[t] : -v[t];
        }
    }
}

/// @notice The tree of docs/sketch.md, level by level.
library ToyTree {
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while (2 ** levels < count) ++levels;
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        (bytes32[] memory level, uint256 levels) = (_padded(leaves), depth(leaves.length));
        for (uint256 l = 0; l < levels; ++l) level = _up(level);
        return level[0];
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](depth(leaves.length));
        bytes32[] memory level = _padded(leaves);
        for (uint256 l = 0; l < siblings.length; ++l) {
            siblings[l] = level[index % 2 == 0 ? index + 1 : index - 1];
            level = _up(level);
            index /= 2;
        }
    }

    function _padded(bytes32[] memory leaves) private pure returns (bytes32[] memory level) {
        level = new bytes32[](2 ** depth(leaves.length));
        for (uint256 i = 0; i < leaves.length; ++i) level[i] = leaves[i];
    }

    function _up(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[](level.length / 2);
        for (uint256 i = 0; i < above.length; ++i) above[i] = keccak256(bytes.concat(level[2 * i], level[2 * i + 1]));
    }
}
