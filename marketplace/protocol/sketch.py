"""The sketch of a long vector (docs/sketch.md): k sums of signed numbers. Inner products are the vectors' on average.

A count-sketch (Charikar, Chen, Farach-Colton, ICALP 2002) with buckets drawn block by block. Exact integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason

MIN_WIDTH = 256

_SEED_BYTES = 32
_SIGNS = 256  # in a hash
_WHOLE = (1 << 256) - 1  # in the place of a hash's number: the block's shift
_AT_ONCE = 1 << 15  # numbers: they stay in the processor's cache
_LIMIT = 1 << 63


def sketch_seed(block_hash: bytes, project: int, round: int) -> bytes:
    """keccak256(abi.encode(block hash, project, round)): a round's seed, 32 bytes."""
    return bytes(keccak(encode(["bytes32", "uint256", "uint256"], [block_hash, project, round])))


class Sketcher:
    """Sketches of `width` numbers with one round's seed. It keeps the signs that it drew, a bit for each number.

    Raises BAD_INPUT for a seed that has not 32 bytes, or a width that is no power of two from 256 on.
    """

    def __init__(self, seed: bytes, width: int) -> None:
        if len(seed) != _SEED_BYTES:
            raise FairshareError(Reason.BAD_INPUT, f"a seed has {_SEED_BYTES} bytes, not {len(seed)}")
        if width < MIN_WIDTH or width & (width - 1):
            raise FairshareError(
                Reason.BAD_INPUT, f"no sketch has {width} numbers", f"a power of two from {MIN_WIDTH} on"
            )
        self.width = width
        self._seed = seed
        self._drawn: dict[int, tuple[int, bytes]] = {}

    def sketch(self, vector: NDArray[np.signedinteger[Any]], first_block: int = 0) -> NDArray[np.int64]:
        """The sketch, int64 [width], of whole blocks, the first of them being block `first_block` of a vector.

        `vector`: int8 to int64, one-dimensional. Raises BAD_INPUT for another dtype or shape, and where a sum of such
        numbers could leave int64. About 30 ns a number, and as much again the first time a block is seen.
        """
        blocks = self._blocks(vector)
        step = max(1, _AT_ONCE // self.width)
        # Twice the width: a block goes in where its shift says, and what is beyond the width is the wrapped part.
        sums = np.zeros(2 * self.width, dtype=np.int64)
        for first in range(0, len(blocks), step):
            some = blocks[first : first + step].astype(np.int64)
            shifts, minus = self._draws(first_block + first, len(some))
            np.negative(some, out=some, where=minus)
            for shift, block in zip(shifts, some, strict=True):
                sums[shift : shift + self.width] += block
        return sums[: self.width] + sums[self.width :]

    def _blocks(self, vector: NDArray[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
        if vector.ndim != 1 or vector.dtype.kind != "i" or vector.size == 0 or vector.size % self.width:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{vector.dtype} of shape {vector.shape} is not whole blocks of {self.width} integers",
            )
        blocks = vector.reshape(-1, self.width)
        if max(int(vector.max()), -int(vector.min())) * len(blocks) >= _LIMIT:
            raise FairshareError(Reason.BAD_INPUT, "the sums of a sketch of such numbers do not fit 64 bits")
        return blocks

    def _draws(self, first: int, count: int) -> tuple[list[int], NDArray[np.bool_]]:
        """Shifts of some blocks, and which of their numbers, bool [count, width], count negative."""
        drawn = [self._draw(block) for block in range(first, first + count)]
        signs = np.frombuffer(b"".join(bits for _, bits in drawn), dtype=np.uint8)
        plus = np.unpackbits(signs, bitorder="little").reshape(count, self.width)
        return [shift for shift, _ in drawn], plus == 0

    def _draw(self, block: int) -> tuple[int, bytes]:
        """The block's shift, and its signs from the first number's on, eight to a byte from the lowest bit up."""
        if block not in self._drawn:
            start = self._seed + block.to_bytes(32, "big")
            shift = int.from_bytes(keccak(start + _WHOLE.to_bytes(32, "big")), "big") % self.width
            hashes = [keccak(start + at.to_bytes(32, "big")) for at in range(self.width // _SIGNS)]
            self._drawn[block] = shift, b"".join(drawn[::-1] for drawn in hashes)
        return self._drawn[block]
