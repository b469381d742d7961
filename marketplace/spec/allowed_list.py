"""A list of addresses as a Merkle root, as OpenZeppelin's MerkleProof reads it.

Leaves are keccak256(bytes.concat(keccak256(abi.encode(address)))), sorted; a node is the hash of its two children
in ascending order; the tree is complete, kept as an array with the root first (OpenZeppelin's StandardMerkleTree).
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

ANYONE = bytes(32)


def root(addresses: Sequence[str]) -> bytes:
    """The root, 32 bytes; all zero for an empty list: anyone."""
    return _tree(addresses)[0] if addresses else ANYONE


def proof(addresses: Sequence[str], member: str) -> list[bytes]:
    """Proof that the list has `member`; empty for an empty list. Raises ValueError for an address that is not in it."""
    if not addresses:
        return []
    tree = _tree(addresses)
    try:
        at = tree.index(_leaf(member), len(addresses) - 1)
    except ValueError:
        raise ValueError(f"{member} is not in the list") from None
    siblings = []
    while at > 0:
        siblings.append(tree[at - 1 if at % 2 == 0 else at + 1])
        at = (at - 1) // 2
    return siblings


def _tree(addresses: Sequence[str]) -> list[bytes]:
    leaves = sorted(_leaf(address) for address in addresses)
    tree = [b""] * (len(leaves) - 1) + leaves[::-1]
    for at in range(len(leaves) - 2, -1, -1):
        tree[at] = bytes(keccak(b"".join(sorted(tree[2 * at + 1 : 2 * at + 3]))))
    return tree


def _leaf(address: str) -> bytes:
    return bytes(keccak(keccak(bytes.fromhex(address[2:]).rjust(32, b"\0"))))
