"""The question whether a commitment is that of a sketch, at one point (docs/sketch.md, "Sketch")."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.protocol.field import FIELD_MODULUS

NOTHING = bytes(32)  # `before` of an input's sketch
SUM = 255  # the slot that stands for the merged sketches' sum


def sketch_challenge(circuit: bytes, x: int, y: int, before: bytes, after: bytes, seed: bytes) -> int:
    """z = keccak256(abi.encode(circuit, x, y, before, after, seed)) mod r, for the sketch's commitment (x, y).

    `before`, `after`: `NOTHING` and the update's root, or the model's roots before and after the round; 32 bytes each.
    """
    claim = encode(
        ["bytes32", "uint256", "uint256", "bytes32", "bytes32", "bytes32"],
        [circuit, x, y, before, after, seed],
    )
    return int.from_bytes(keccak(claim), "big") % FIELD_MODULUS
