// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The sketch of a chunk. Twin: marketplace/protocol/sketch.py
/// @notice Numbers come in blocks of as many as there are buckets. Number p of block b goes to bucket
/// (p + shift_b) mod buckets, with a sign:
/// - shift_b = keccak256(abi.encode(seed, b, type(uint256).max)) mod buckets;
/// - the sign of p is bit p mod 256, from the lowest, of keccak256(abi.encode(seed, b, p / 256)): 1 is +, 0 is -.
/// A count-sketch (Charikar, Chen, Farach-Colton: Finding Frequent Items in Data Streams, ICALP 2002) whose buckets are
/// drawn block by block. It is linear: a vector's sketch is the sum of its chunks'.
library SketchValue {
    uint256 private constant SIGNS = 256; // in a hash
    // Every other byte, and every other pair of them. They live on the stack: as literals in the assembly they would be
    // copied from the code again and again.
    uint256 private constant ODD = type(uint256).max / 0x101;
    uint256 private constant PAIRS = type(uint256).max / 0x10001;

    /// @notice What to sketch, and how.
    struct Chunk {
        bytes packed; // little-endian two's complement
        bytes minus; // what is taken from it, number by number, as long; empty: nothing
        uint256 width; // bytes of a number: 2 or 4
        bytes32 seed;
        uint256 firstBlock; // of the vector, the chunk's first
        uint256 buckets; // a power of two, at least 256
    }

    /// @notice The chunk's part of the vector's sketch, by bucket.
    /// @dev The caller has checked that the chunk is of whole blocks. Each is added at its shift into a list twice as
    /// long, of which the two halves are added up in the end.
    function sketch(Chunk memory chunk) internal pure returns (int256[] memory sums) {
        uint256 buckets = chunk.buckets;
        sums = new int256[](2 * buckets);
        uint256 size = buckets * chunk.width; // bytes of a block
        uint256 blocks = chunk.packed.length / size;
        for (uint256 i = 0; i < blocks; ++i) _addBlock(sums, chunk, chunk.firstBlock + i, i * size);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let half := shl(5, buckets)
            for {
                let at := add(sums, 0x20)
                let end := add(at, half)
            } lt(at, end) {
                at := add(at, 0x20)
            } {
                mstore(at, add(mload(at), mload(add(at, half))))
            }
            mstore(sums, buckets)
        }
    }

    function _addBlock(int256[] memory sums, Chunk memory chunk, uint256 number, uint256 offset) private pure {
        bytes32 seed = chunk.seed;
        uint256 from = _place(chunk.packed, offset);
        uint256 minus = _place(chunk.minus, offset);
        uint256 shift = uint256(keccak256(abi.encode(seed, number, type(uint256).max))) & (chunk.buckets - 1);
        uint256 to = _bucket(sums, shift);
        uint256 groups = chunk.buckets / SIGNS;
        uint256 bytes_ = SIGNS * chunk.width; // of a group
        for (uint256 group = 0; group < groups; ++group) {
            uint256 signs = uint256(keccak256(abi.encode(seed, number, group)));
            if (chunk.width == 2) _addNarrow(to, from, signs, ODD);
            else _addWide(to, from, minus, signs, ODD, PAIRS);
            unchecked {
                to += 32 * SIGNS;
                from += bytes_;
                if (minus != 0) minus += bytes_;
            }
        }
    }

    /// @dev In memory; 0 where there is nothing.
    function _place(bytes memory data, uint256 offset) private pure returns (uint256 place) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            if mload(data) {
                place := add(add(data, 0x20), offset)
            }
        }
    }

    function _bucket(int256[] memory sums, uint256 index) private pure returns (uint256 place) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            place := add(add(sums, 0x20), shl(5, index))
        }
    }

    /// @dev Adds 256 int16 at `from` to as many buckets at `to`. Unrolled: a loop costs as much as what it does.
    function _addNarrow(uint256 to, uint256 from, uint256 signs, uint256 odd) private pure {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            // The sign is the lowest bit of `bits`: 1 is +, 0 is -.
            function put(place, value, bits) {
                mstore(place, add(mload(place), mul(value, sub(shl(1, and(bits, 1)), 1))))
            }

            for {
                let end := add(from, 0x200)
            } lt(from, end) {
                from := add(from, 0x20)
            } {
                // The bytes of each number are swapped, so that the first number is at the top.
                let word := mload(from)
                word := or(and(shr(8, word), odd), shl(8, and(word, odd)))
                put(to, sar(240, word), signs)
                put(add(to, 0x20), sar(240, shl(16, word)), shr(1, signs))
                put(add(to, 0x40), sar(240, shl(32, word)), shr(2, signs))
                put(add(to, 0x60), sar(240, shl(48, word)), shr(3, signs))
                put(add(to, 0x80), sar(240, shl(64, word)), shr(4, signs))
                put(add(to, 0xa0), sar(240, shl(80, word)), shr(5, signs))
                put(add(to, 0xc0), sar(240, shl(96, word)), shr(6, signs))
                put(add(to, 0xe0), sar(240, shl(112, word)), shr(7, signs))
                put(add(to, 0x100), sar(240, shl(128, word)), shr(8, signs))
                put(add(to, 0x120), sar(240, shl(144, word)), shr(9, signs))
                put(add(to, 0x140), sar(240, shl(160, word)), shr(10, signs))
                put(add(to, 0x160), sar(240, shl(176, word)), shr(11, signs))
                put(add(to, 0x180), sar(240, shl(192, word)), shr(12, signs))
                put(add(to, 0x1a0), sar(240, shl(208, word)), shr(13, signs))
                put(add(to, 0x1c0), sar(240, shl(224, word)), shr(14, signs))
                put(add(to, 0x1e0), sar(240, shl(240, word)), shr(15, signs))
                signs := shr(16, signs)
                to := add(to, 0x200)
            }
        }
    }

    /// @dev Adds 256 int32 at `from`, less those at `minus` unless it is 0, to as many buckets at `to`.
    function _addWide(uint256 to, uint256 from, uint256 minus, uint256 signs, uint256 odd, uint256 pairs) private pure {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            function put(place, value, bits) {
                mstore(place, add(mload(place), mul(value, sub(shl(1, and(bits, 1)), 1))))
            }

            for {
                let end := add(from, 0x400)
            } lt(from, end) {
                from := add(from, 0x20)
            } {
                let word := mload(from)
                word := or(and(shr(8, word), odd), shl(8, and(word, odd)))
                word := or(and(shr(16, word), pairs), shl(16, and(word, pairs)))
                let less := 0
                if minus {
                    less := mload(minus)
                    less := or(and(shr(8, less), odd), shl(8, and(less, odd)))
                    less := or(and(shr(16, less), pairs), shl(16, and(less, pairs)))
                    minus := add(minus, 0x20)
                }
                put(to, sub(sar(224, word), sar(224, less)), signs)
                put(add(to, 0x20), sub(sar(224, shl(32, word)), sar(224, shl(32, less))), shr(1, signs))
                put(add(to, 0x40), sub(sar(224, shl(64, word)), sar(224, shl(64, less))), shr(2, signs))
                put(add(to, 0x60), sub(sar(224, shl(96, word)), sar(224, shl(96, less))), shr(3, signs))
                put(add(to, 0x80), sub(sar(224, shl(128, word)), sar(224, shl(128, less))), shr(4, signs))
                put(add(to, 0xa0), sub(sar(224, shl(160, word)), sar(224, shl(160, less))), shr(5, signs))
                put(add(to, 0xc0), sub(sar(224, shl(192, word)), sar(224, shl(192, less))), shr(6, signs))
                put(add(to, 0xe0), sub(sar(224, shl(224, word)), sar(224, shl(224, less))), shr(7, signs))
                signs := shr(8, signs)
                to := add(to, 0x100)
            }
        }
    }
}
