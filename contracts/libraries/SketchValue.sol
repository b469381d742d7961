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
    /// @dev The caller has checked that the chunk is of whole blocks.
    function sketch(Chunk memory chunk) internal pure returns (int256[] memory sums) {
        sums = new int256[](chunk.buckets);
        uint256 size = chunk.buckets * chunk.width; // bytes of a block
        uint256 blocks = chunk.packed.length / size;
        for (uint256 i = 0; i < blocks; ++i) _addBlock(sums, chunk, chunk.firstBlock + i, i * size);
    }

    function _addBlock(int256[] memory sums, Chunk memory chunk, uint256 number, uint256 offset) private pure {
        bytes32 seed = chunk.seed;
        uint256 bits = 8 * chunk.width;
        uint256 from = _place(chunk.packed, offset);
        uint256 minus = _place(chunk.minus, offset);
        uint256 bucket = uint256(keccak256(abi.encode(seed, number, type(uint256).max)));
        uint256 groups = sums.length / SIGNS;
        for (uint256 group = 0; group < groups; ++group) {
            _add(sums, from, minus, bits, uint256(keccak256(abi.encode(seed, number, group))), bucket);
            unchecked {
                bucket += SIGNS; // only its lowest bits are looked at
                from += 32 * bits; // 256 numbers
                if (minus != 0) minus += 32 * bits;
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

    /// @dev Adds 256 numbers of `bits` each: the first goes to `bucket`, the next ones to those after it. Places in
    /// memory: of the numbers, and of what is taken from them or 0.
    function _add(
        int256[] memory sums,
        uint256 from,
        uint256 minus,
        uint256 bits,
        uint256 signs,
        uint256 bucket
    ) private pure {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let pad := sub(256, bits)
            let first := add(sums, 0x20)
            let wrap := sub(shl(5, mload(sums)), 1) // offsets stay below it
            let offset := and(shl(5, bucket), wrap)
            for {
                let end := add(from, shl(5, bits)) // 256 * bits / 8
            } lt(from, end) {
                from := add(from, 0x20)
            } {
                // A word holds 256 / bits numbers. Swap the bytes of each, so that the first are at the top.
                let word := swap(mload(from), bits)
                let taken := 0
                if minus {
                    taken := swap(mload(minus), bits)
                    minus := add(minus, 0x20)
                }
                for {
                    let shift := 0
                } lt(shift, 256) {
                    shift := add(shift, bits)
                } {
                    let v := sub(sar(pad, shl(shift, word)), sar(pad, shl(shift, taken)))
                    let flip := sub(and(signs, 1), 1) // all ones where the sign is -
                    let place := add(first, offset)
                    mstore(place, add(mload(place), sub(xor(v, flip), flip)))
                    signs := shr(1, signs)
                    offset := and(add(offset, 0x20), wrap)
                }
            }

            function swap(word, size) -> swapped {
                swapped := or(
                    and(shr(8, word), 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff),
                    shl(8, and(word, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff))
                )
                if eq(size, 32) {
                    swapped := or(
                        and(shr(16, swapped), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff),
                        shl(16, and(swapped, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff))
                    )
                }
            }
        }
    }
}
