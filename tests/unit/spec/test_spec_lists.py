"""A list of aggregators as a Merkle root, and the commitment to a validation set."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.spec import allowed_list
from marketplace.spec.validation import commitment

addresses = st.lists(
    st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex()), min_size=1, unique=True
)


def verified(proof: list[bytes], root: bytes, member: str) -> bool:
    """OpenZeppelin's MerkleProof.verify, and the leaf as the contract makes it."""
    node = keccak(keccak(bytes(12) + bytes.fromhex(member[2:])))
    for sibling in proof:
        node = keccak(min(node, sibling) + max(node, sibling))
    return bool(node == root)


@given(addresses)
def test_every_member_is_proved(listed: list[str]) -> None:
    root = allowed_list.root(listed)
    assert allowed_list.root(listed[::-1]) == root
    for member in listed:
        assert verified(allowed_list.proof(listed, member), root, member)


@given(addresses, st.binary(min_size=20, max_size=20))
def test_a_stranger_has_no_proof(listed: list[str], stranger: bytes) -> None:
    address = "0x" + stranger.hex()
    if address in listed:
        return
    with pytest.raises(ValueError, match="not in the list"):
        allowed_list.proof(listed, address)
    for member in listed:
        assert not verified(allowed_list.proof(listed, member), allowed_list.root(listed), address)


def test_no_list_is_for_anyone() -> None:
    assert allowed_list.root(()) == bytes(32)
    assert allowed_list.proof((), "0x" + "12" * 20) == []


def test_a_node_is_the_hash_of_its_sorted_children() -> None:
    leaves = sorted(keccak(keccak(bytes(31) + bytes([n]))) for n in (0x11, 0x22))
    listed = ["0x" + "00" * 19 + "11", "0x" + "00" * 19 + "22"]
    assert allowed_list.root(listed) == keccak(b"".join(leaves))


def test_a_commitment_is_the_contract_s() -> None:
    # keccak256(abi.encode(bytes32(uint256(1)), bytes32(uint256(2))))
    one, two = bytes(31) + b"\1", bytes(31) + b"\2"
    assert commitment(one, two) == "0xe90b7bceb6e7df5418fb78d8ee546e97c83a08bbccc01a0644d599ccd2a7c2e0"
    with pytest.raises(ValueError, match="32"):
        commitment(b"\1", two)
